"""Pages that are made of other files of the project, so that nothing is said twice."""

from __future__ import annotations

import re
import tempfile
import warnings
from html import escape
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
OUTSIDE = re.compile(r"<(?:script|link|img|iframe|video|source)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^>]*>")
LAYERS = re.compile(r"(## Layers\n.*?\n)```\n(.*?)```", re.DOTALL)
ROW, WIDTH, NOTE_AT = 46, 900, 470


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add contributing, changelog, how to cite, and what each format keeps."""
    made = {
        "contributing.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").replace("](docs/", "]("),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        "cite.md": _cite(),
        "kept.md": _kept(),
    }
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Draw the layers in place of their table."""
    if page.file.src_uri != "architecture.md":
        return markdown
    return LAYERS.sub(lambda found: found[1] + draw_layers(read_layers(markdown)) + "\n", markdown)


def on_post_build(*, config: MkDocsConfig) -> None:
    """Refuse a site of which a page loads something from elsewhere; links that a reader clicks are fine."""
    for page in Path(config.site_dir).rglob("*.html"):
        found = OUTSIDE.search(page.read_text(encoding="utf-8"))
        if found:
            raise PluginError(f"{page.name} loads something from outside: {found[0]}")


def read_layers(markdown: str) -> list[tuple[str, list[str], str]]:
    """Return the rows of the page's table of layers from the top: number, modules, what they are for."""
    found = LAYERS.search(markdown)
    rows = []
    for line in found[2].splitlines() if found else []:
        cells = re.split(r"\s{2,}", line.strip())
        number, *names = cells[0].split(maxsplit=1) + cells[1:]
        note = names.pop() if " " in names[-1] else ""
        rows.append((number, [name for cell in names for name in cell.split()], note))
    return rows


def draw_layers(rows: list[tuple[str, list[str], str]]) -> str:
    """Return the layers as SVG: a row of boxes for each, the modules that may import only from rows below."""
    parts: list[str] = []
    for place, (number, names, note) in enumerate(rows):
        top = place * ROW
        parts.append(f'<text x="4" y="{top + 25}" class="note">{number}</text>')
        width = (NOTE_AT - 40) / len(names)
        for column, name in enumerate(names):
            left = 30 + column * width
            parts.append(f'<rect x="{left:.0f}" y="{top + 4}" width="{width - 8:.0f}" height="{ROW - 12}" rx="5"/>')
            middle = left + width / 2 - 4
            parts.append(f'<text x="{middle:.0f}" y="{top + 26}" text-anchor="middle">{name}</text>')
        parts.append(f'<text x="{NOTE_AT}" y="{top + 25}" class="note" font-size="13">{escape(note)}</text>')
    height = ROW * len(rows)
    return (
        f'<svg class="layers" role="img" aria-label="The layers from the top: a module imports only from rows below" '
        f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-size="14">{"".join(parts)}</svg>'
    )


def _cite() -> str:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    return (
        "# How to cite\n\nIf redactkit helped your research, cite it. The file `CITATION.cff` says how, "
        "in a form that reference managers read:\n\n```yaml\n" + text + "```\n\n"
        "Cite the methods that it stands on as well: the detector CenterFace (Xu et al., *CenterFace: Joint Face "
        "Detection and Alignment Using Face as Point*, 2020), and ByteTrack (Zhang et al., ECCV 2022), whose two-step "
        "association the tracker follows. The reference names the paper of each method where it is used.\n"
    )


def _kept() -> str:
    """Try what each format keeps: write annotations that have everything, and listen to what is lost."""
    from redactkit.errors import AnnotationError, AnnotationWarning
    from redactkit.formats import WRITABLE, write_annotations

    annotations = _full()
    lost: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in WRITABLE:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always", AnnotationWarning)
                try:
                    write_annotations(annotations, Path(folder) / f"lobby.{name}", format=name)
                except AnnotationError:
                    continue
            told = [re.search(r"has no room for (.*); ", str(one.message)) for one in heard]
            lost[name] = {thing for found in told if found for thing in found[1].split(", ")}
    things = sorted(set().union(*lost.values()))
    rows = ["| " + " | ".join(["", *(f"`{name}`" for name in lost)]) + " |", "|---" * (len(lost) + 1) + "|"]
    for thing in ["boxes and face IDs", *things]:
        marks = ["-" if thing in missing else "yes" for missing in lost.values()]
        rows.append("| " + " | ".join([thing, *marks]) + " |")
    return KEPT + "\n".join(rows) + "\n"


KEPT = """# What each format keeps

`Annotations.to` and `redactkit convert` write these formats. A format that has no room for something says so in a
warning when the file is written; a box is never dropped: where one cannot be held, writing is refused. This table is
made while the site is built, by writing annotations that have everything and reading the warnings.

`azure` is redactkit's own: what Azure Media Redactor wrote, with one more object for what that had no room for.

"""


def _full() -> object:
    """Return annotations that have everything a format may lack."""
    from fractions import Fraction

    from redactkit.annotations import Annotations
    from redactkit.media import VideoInfo
    from redactkit.tables import as_decisions, as_detections

    video = VideoInfo(
        Path("lobby.mp4"), 200, 100, Fraction(25), Fraction(1, 25), range(8), digest="0" * 64, keyframes=range(1)
    )
    rows = {"frame": [0, 1, 5], "face_id": [1, 1, 2], "x": 10, "y": 5, "width": 20, "height": 25, "confidence": 0.9}
    table = as_detections({**rows, "source": "detected"})
    decisions = as_decisions({1: {"redact": False, "label": "guard", "reason": "agreed"}})
    return Annotations(video, table, decisions, discarded=table[:1], cuts=[4], settings={"blur": "Med"})
