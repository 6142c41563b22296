"""Play a video file in the page: by address where the server has it, else by its bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ipywidgets
from jupyter_core.paths import jupyter_runtime_dir

from redactkit.widgets.markup import escape

__all__ = ["addresses_of", "as_video"]

_MOST_BYTES = 48 << 20


def as_video(path: str | Path) -> Any:
    """Return a player of a video file; a line that says where the file is, where it is too large to send.

    Parameters
    ----------
    path : path
        Sent to the page whole up to 48 MB.
    """
    target = Path(path)
    if target.stat().st_size <= _MOST_BYTES:
        player = ipywidgets.Video.from_file(str(target), autoplay=False, loop=False, width=420)
        player.add_class("rk-player")
        return player
    address = _address_of(target)
    if address is None:
        return ipywidgets.HTML(f"The video is too large to play here: open <code>{escape(target)}</code>")
    return ipywidgets.HTML(f'<video class="rk-player" src="{escape(address)}" controls width="420"></video>')


def addresses_of(path: str | Path) -> list[str]:
    """Return where JupyterLab servers that can see a file serve it, relative to their base address.

    A server shows only what lies below its root.
    """
    inside = Path(path).resolve()
    found = [
        f"files/{quote(inside.relative_to(root).as_posix())}"
        for root, _ in _running_servers()
        if inside.is_relative_to(root)
    ]
    return list(dict.fromkeys(found))


def _running_servers() -> list[tuple[Path, str]]:
    """Return the root and the base address of each Jupyter server of this user.

    From the files that `jupyter_server.serverapp.list_running_servers` reads: to load that module takes a third of the
    time in which a workbench opens.
    """
    found = []
    for path in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        try:
            server = json.loads(path.read_text("utf-8"))
            root, base = Path(server["root_dir"]).resolve(), str(server["base_url"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # of a server that is just ending
        found.append((root, base))
    return found


def _address_of(path: Path) -> str | None:
    """Return where the one JupyterLab server that can see the file serves it."""
    inside = path.resolve()
    found = [
        f"{base}files/{quote(inside.relative_to(root).as_posix())}"
        for root, base in _running_servers()
        if inside.is_relative_to(root)
    ]
    return found[0] if len(found) == 1 else None
