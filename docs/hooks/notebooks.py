"""The tutorial: each notebook is run while the site is built, and shown with what it printed and drew.

`DOCS_NOTEBOOKS=show` shows them without running them, which is quick while a page is written.
"""

from __future__ import annotations

import base64
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parents[1] / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"
VIEWS = ("Workbench", "FrameViewer", "FaceGrid", "BoxEditor", "CompareViewer", "Video")
TIMEOUT = 600
SECONDS = 4
SETUP = f"import sys; sys.path.insert(0, {str(HERE)!r}); from stills import show_still"
SHORT = {"01_two_passes", "03_check_the_result", "05_your_own_video"}
"""Run on the first four seconds of the sample, as the tests do: what they say holds there too, and it is quicker."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add a page for each notebook, and its pictures."""
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    run = os.environ.get("DOCS_NOTEBOOKS", "run") != "show"
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        clip = _cut_clip(Path(folder)) if run else None
        books = list(pool.map(lambda path: _load(path, Path(folder), clip, run=run), paths))
    for path, book in zip(paths, books, strict=True):
        text, pictures = _as_markdown(book, path.stem)
        files.append(File.generated(config, f"tutorial/{path.stem}.md", content=text))
        for name, picture in pictures.items():
            files.append(File.generated(config, f"tutorial/{name}", content=picture))
    return files


def _cut_clip(folder: Path) -> Path:
    """Write the first four seconds of the sample, under the sample's own name."""
    import av

    from redactkit.runtime.resources import sample_path

    target = folder / "short" / "sample.mp4"
    target.parent.mkdir()
    with av.open(str(sample_path())) as source, av.open(str(target), "w") as output:
        streams = {stream: output.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux(list(streams)):
            if packet.pts is not None and packet.pts * packet.time_base < SECONDS:
                packet.stream = streams[packet.stream]
                output.mux(packet)
    return target


def _load(path: Path, folder: Path, clip: Path | None, *, run: bool) -> NotebookNode:
    """Read a notebook and run it, with a still after each view."""
    book = nbformat.read(path, as_version=4)
    if not run:
        return book
    home = folder / path.stem
    home.mkdir()
    sources = [cell["source"] for cell in book["cells"]]
    short = clip is not None and path.stem in SHORT
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell["source"] = cell["source"].replace("rk.sample_path()", repr(str(clip))) if short else cell["source"]
            cell["source"] += _still_of(cell["source"])
    book["cells"].insert(0, nbformat.v4.new_code_cell(SETUP))
    try:
        NotebookClient(book, timeout=TIMEOUT, resources={"metadata": {"path": str(home)}}).execute()
    except CellExecutionError as err:
        raise PluginError(f"{path.name} does not run: {err}") from err
    book["cells"].pop(0)
    for cell, source in zip(book["cells"], sources, strict=True):
        cell["source"] = source
        cell["outputs"] = [_without_paths(output, folder) for output in cell.get("outputs", [])]
    return book


def _without_paths(output: NotebookNode, folder: Path) -> NotebookNode:
    """Take this machine's folders out of what an output says."""
    told = output.get("data", output)
    for kind, text in told.items():
        if isinstance(text, str) and not kind.startswith("image/"):
            told[kind] = re.sub(f"({re.escape(str(folder))}/\\w+|{re.escape(str(NOTEBOOKS.parent))})/", "", text)
    return output


def _still_of(source: str) -> str:
    """Return code that, after a cell that ends with a name, adds a still of what it names if that is a view."""
    last = source.rstrip().rsplit("\n", 1)[-1]
    return f"\nshow_still({last})\n{last}" if last.isidentifier() else ""


def _as_markdown(book: NotebookNode, stem: str) -> tuple[str, dict[str, bytes]]:
    """Return a notebook's page and its pictures by name."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in book["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r"\((\w+)\.ipynb\)", r"(\1.md)", cell["source"]))
            continue
        parts.append(f"```python\n{cell['source']}\n```")
        outputs = [_output(output, stem, pictures) for output in cell.get("outputs", [])]
        shown = "\n\n".join(filter(None, outputs))
        if shown:
            parts.append(f'<div class="output" markdown="1">\n\n{shown}\n\n</div>')
    note = f"*This is the notebook `notebooks/{stem}.ipynb`; `redactkit lab` opens it in JupyterLab."
    if stem in SHORT:
        note += " Its outputs are those of the first four seconds of the sample clip."
    return "\n\n".join([*parts[:1], f"{note}*", *parts[1:]]) + "\n", pictures


def _output(output: dict[str, Any], stem: str, pictures: dict[str, bytes]) -> str:
    """Return one output as Markdown; standard error, where progress is shown, is left out."""
    if output["output_type"] == "stream":
        return _as_text(output["text"]) if output["name"] == "stdout" else ""
    data = output.get("data", {})
    if WIDGET in data:  # bars that show progress are widgets too
        return "*A view to work with: open the notebook to use it.*" if data["text/plain"].startswith(VIEWS) else ""
    for kind, ending in (("image/png", "png"), ("image/jpeg", "jpg")):
        if kind in data:
            name = f"{stem}-{len(pictures) + 1}.{ending}"
            pictures[name] = base64.b64decode(data[kind])
            return f"![{_caption(output)}]({name})"
    if "text/html" in data:
        # One line: Markdown takes HTML with empty or indented lines for something else.
        html = re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.DOTALL)
        return re.sub(r"\s*\n\s*", " ", html).strip()
    return _as_text(data.get("text/plain", ""))


def _caption(output: dict[str, Any]) -> str:
    return escape(output.get("metadata", {}).get("caption", "")) or "figure"


def _as_text(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```" if text.strip() else ""
