"""A real JupyterLab on this machine, a real Chromium on it, and the kernel behind: the harness of the browser tests."""

from __future__ import annotations

import ast
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client import BlockingKernelClient
from jupyter_core.utils import ensure_event_loop
from playwright.sync_api import Browser, Locator, Page

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "apputils-extension/kernels-settings": {"commsOverSubshells": "perCommTarget"},
    "apputils-extension/themes": {"theme": "JupyterLab Light"},
    "docmanager-extension/plugin": {"autosave": False},
}
LAPTOP = {"width": 1366, "height": 768}
SLOW = 120_000


def find_chromium() -> str | None:
    """Return the path of the system's Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


class LabServer:
    """JupyterLab on 127.0.0.1 with every folder of its own under ``home``; notebooks are in ``root``."""

    def __init__(self, home: Path) -> None:
        self.home, self.root = home, home / "notebooks"
        self.root.mkdir(parents=True)
        self.token = secrets.token_hex(16)
        self.port = _free_port()
        self._log = (home / "lab.log").open("w")
        self._process = subprocess.Popen(
            self._command(), env=self._environment(), stdout=self._log, stderr=self._log, cwd=self.root
        )
        self._wait()

    def _command(self) -> list[str]:
        options = {"ip": "127.0.0.1", "port": self.port, "port_retries": 0, "root_dir": self.root}
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser", "--allow-root"]
        return [
            *command,
            *(f"--ServerApp.{name}={value}" for name, value in options.items()),
            f"--IdentityProvider.token={self.token}",
            "--JupyterNotebookApp.expose_app_in_browser=True",  # the same for the pages of Notebook 7
        ]

    def _environment(self) -> dict[str, str]:
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        return os.environ | {name: str(self.home / folder) for name, folder in folders.items()}

    def _wait(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with urllib.request.urlopen(self.url("api/status"), timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"JupyterLab did not start:\n{(self.home / 'lab.log').read_text()[-3000:]}")

    def url(self, path: str) -> str:
        """Return the address of a page, with the token that opens it."""
        return f"http://127.0.0.1:{self.port}/{path}?token={self.token}"

    def configure(self, **changes: dict[str, Any]) -> None:
        """Write JupyterLab's settings; a page sees them when it is next loaded.

        Keyword arguments are the parts after the last ``/`` of a name in `SETTINGS`, with ``_`` for ``-``.
        """
        for name, values in SETTINGS.items():
            changed = values | changes.get(name.rpartition("/")[2].replace("-", "_"), {})
            path = self.home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(changed))

    def kernels(self) -> list[str]:
        """Return the IDs of the kernels that run."""
        with urllib.request.urlopen(self.url("api/kernels"), timeout=10) as answer:
            return [kernel["id"] for kernel in json.load(answer)]

    def end_kernel(self, kernel: str) -> None:
        """Shut a kernel down."""
        request = urllib.request.Request(self.url(f"api/kernels/{kernel}"), method="DELETE")
        urllib.request.urlopen(request, timeout=30).close()

    def connection_file(self, kernel: str) -> str:
        """Return the connection file of a running kernel."""
        return str(self.home / "runtime" / f"kernel-{kernel}.json")

    def close(self) -> None:
        """Stop the server and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Kernel:
    """A second client of a notebook's kernel, in a thread of its own: Playwright's loop holds this one."""

    def __init__(self, connection_file: str) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._client = self._thread.submit(self._connect, connection_file).result()

    @staticmethod
    def _connect(connection_file: str) -> BlockingKernelClient:
        client = BlockingKernelClient(connection_file=connection_file)
        client.load_connection_file()
        client.start_channels()
        client.wait_for_ready(timeout=240)
        return client

    def ask(self, expression: str, *, timeout: float = 240) -> Any:
        """Return the value of an expression in the kernel; it must be plain data, as JSON can hold it."""
        code = f"__import__('json').dumps({expression}, default=lambda value: value.item())"
        return json.loads(self._thread.submit(self._ask, code, timeout).result())

    def _ask(self, code: str, timeout: float) -> str:
        reply = self._client.execute(
            "", user_expressions={"answer": code}, store_history=False, reply=True, timeout=timeout
        )
        answer = reply["content"]["user_expressions"]["answer"]
        if answer["status"] != "ok":
            raise RuntimeError(f"{code} failed in the kernel: {answer['ename']}: {answer['evalue']}")
        return str(ast.literal_eval(answer["data"]["text/plain"]))

    def run(self, code: str, *, timeout: float = 240) -> None:
        """Run statements in the kernel, as another cell would."""
        call = self._thread.submit(lambda: self._client.execute(code, store_history=False, reply=True, timeout=timeout))
        content = call.result()["content"]
        if content["status"] != "ok":
            raise RuntimeError("\n".join(content["traceback"]))

    def wait_until(self, expression: str, *, timeout: float = 90) -> Any:
        """Ask until the answer is true; return it."""
        end = time.monotonic() + timeout
        while not (answer := self.ask(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} stayed {answer!r} for {timeout} s")
            time.sleep(0.05)
        return answer

    def close(self) -> None:
        """Disconnect; the kernel goes on."""
        self._thread.submit(self._disconnect).result()
        self._thread.shutdown()

    def _disconnect(self) -> None:
        self._client.stop_channels()
        self._client.context.term()
        ensure_event_loop().close()


class LabNotebook:
    """One notebook, open in the browser in a page of its own."""

    def __init__(self, server: LabServer, browser: Browser, path: Path, *, size: dict[str, int] | None = None) -> None:
        self.path = path
        self._server, self._kernel = server, None
        self._context = browser.new_context(viewport=size or LAPTOP)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(90_000)
        self.console: list[str] = []
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.goto(server.url(f"doc/tree/{path.relative_to(server.root)}"))
        self.page.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady", timeout=SLOW, polling=100
        )
        self._evaluate_in_notebook("await panel.sessionContext.ready; await panel.revealed")

    def _evaluate_in_notebook(self, script: str) -> Any:
        return self.page.evaluate(f"async () => {{ const panel = jupyterapp.shell.currentWidget; {script} }}")

    @property
    def kernel(self) -> Kernel:
        """The kernel of this notebook."""
        if self._kernel is None:
            name = self._evaluate_in_notebook("return panel.sessionContext.session.kernel.id")
            self._kernel = Kernel(self._server.connection_file(name))
        return self._kernel

    def restart_after(self, kill: Callable[[], None]) -> None:
        """End the kernel as ``kill`` does, and start it again, as a person does when JupyterLab says that it died."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None
        kill()
        self._evaluate_in_notebook("await panel.sessionContext.session.kernel.restart()")

    def execute(self, command: str, **arguments: Any) -> None:
        """Run a command of JupyterLab by its name."""
        self.page.evaluate("([name, given]) => jupyterapp.commands.execute(name, given)", [command, arguments])

    def run_all(self) -> None:
        """Run every cell; raise with the text of the first error."""
        self.execute("notebook:run-all-cells")
        errors = self._evaluate_in_notebook(
            """const cells = panel.content.model.sharedModel.cells.map(cell => cell.toJSON());
            return cells.flatMap(cell => cell.outputs ?? []).filter(output => output.output_type == 'error')
                .map(output => output.traceback.join('\\n'))"""
        )
        assert not errors, errors[0]

    def start_all(self) -> None:
        """Start to run every cell, and do not wait."""
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")

    def find(self, css_class: str) -> Locator:
        """Return the widgets that carry a class given by ``add_class``."""
        return self.page.locator(f".{css_class}")

    def use_theme(self, name: str) -> None:
        """Switch to ``Light`` or ``Dark``."""
        self.execute("apputils:change-theme", theme=f"JupyterLab {name}")
        self.page.wait_for_function(f"document.body.dataset.jpThemeLight == '{str(name == 'Light').lower()}'")

    def screenshot(self, path: Path) -> Path:
        """Save what the browser shows as a PNG."""
        self.page.screenshot(path=path)
        return path

    def close(self) -> None:
        """Shut the kernel down and close the page."""
        self._evaluate_in_notebook("await panel.sessionContext.shutdown()")
        if self._kernel is not None:
            self._kernel.close()
        self._context.close()


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook with these code cells."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return path
