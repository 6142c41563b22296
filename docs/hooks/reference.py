"""The reference: a page for each package, with every name that its ``__all__`` makes public.

Where text names one of them in `code`, it becomes a link.
"""

from __future__ import annotations

import importlib
import re
from html import escape
from types import ModuleType
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import redactkit

PAGES = {
    "redactkit": ("Both passes, and what they hand out", ["redactkit"]),
    "errors": ("Errors and warnings", ["redactkit.errors"]),
    "tables": ("Tables", ["redactkit.tables"]),
    "boxes": ("Boxes", ["redactkit.boxes"]),
    "media": ("Headers of videos", ["redactkit.media"]),
    "review": ("Reviews and edits", ["redactkit.review", "redactkit.review.editing", "redactkit.review.keyframes"]),
    "formats": ("Annotation files", ["redactkit.formats"]),
    "plots": ("Figures", ["redactkit.plots"]),
    "widgets": ("Widgets", ["redactkit.widgets"]),
    "following": ("Following what was drawn", ["redactkit.following"]),
    "effects": ("Blur kinds", ["redactkit.effects"]),
    "tracking": ("Tracking", ["redactkit.tracking"]),
    "detectors": ("Detectors", ["redactkit.detectors"]),
    "video": ("Video files", ["redactkit.video"]),
    "results": (
        "Reports and results",
        [
            "redactkit.redaction.report:RedactionReport,read_report",
            "redactkit.redaction.options:RedactionOptions",
            "redactkit.verification:VerificationReport",
            "redactkit.inspection:Inspection,find_gaps,find_suspicious",
            "redactkit.inspection.comparison:Comparison",
        ],
    ),
    "jobs": (
        "Many videos",
        [
            "redactkit.jobs",
            "redactkit.jobs.submit:JobOptions,make_specs",
            "redactkit.runtime.progress:track",
            "redactkit.runtime.purge",
        ],
    ),
}
CODE = re.compile(r"(?<!>)<code>([A-Za-z_][\w.]*)(\(\))?</code>(?!</a>)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages."""
    listed: set[str] = set()
    for name, (title, modules) in PAGES.items():
        text = f"# {title}\n\n" + "".join(_section(module, listed) for module in modules)
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    files.append(File.generated(config, "reference/index.md", content=_index()))
    return files


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links of names in code that the reference has; others stay as they are."""

    def link(found: re.Match[str]) -> str:
        name, call = found[1], found[2] or ""
        known = _full_name(name)
        if known is None:
            return found[0]
        identifier = escape(_identifier(known))
        return f'<autoref identifier="{identifier}" optional><code>{name}{call}</code></autoref>'

    return CODE.sub(link, html)


def _full_name(name: str) -> str | None:
    """Return a public name in full: as it is, or that of redactkit itself, as in `rk.analyze` and `Review.open`."""
    first = name.split(".")[0]
    if first == "redactkit" and name != "redactkit":
        return name
    if first == "rk" and "." in name:
        return f"redactkit.{name.split('.', 1)[1]}"
    return f"redactkit.{name}" if first in redactkit.__all__ and first[0].isupper() else None


def _identifier(name: str) -> str:
    """Return what the reference calls a public name: a class, and what is in it, go by where they are defined."""
    package, first, *rest = name.split(".")
    value = getattr(redactkit, first, None) if first in redactkit.__all__ else None
    if value is None or isinstance(value, ModuleType):
        return name
    return ".".join([_home(package, first, value), *rest])


def _section(entry: str, listed: set[str]) -> str:
    """Return the text about a module, or some names of it: each that is not on an earlier page."""
    module_name, _, chosen = entry.partition(":")
    module = importlib.import_module(module_name)
    parts = [] if chosen or module_name == "redactkit" else [f"{_summary(module)}\n"]
    for name in sorted(chosen.split(",") if chosen else module.__all__, key=lambda name: (not name[0].islower(), name)):
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            continue
        home = _home(module_name, name, value)
        public = f"{module_name}.{name}"
        if home in listed:
            parts.append(f'See also <autoref identifier="{home}" optional><code>{public}</code></autoref>.\n')
            continue
        listed.add(home)
        anchor = f"[](){{#{public}}}\n\n" if public != home else ""
        parts.append(f"{anchor}::: {home}\n    options:\n      heading: {public}\n      toc_label: {name}\n")
    return "\n".join(parts) + "\n"


def _home(module_name: str, name: str, value: Any) -> str:
    """Return where a name is defined: functions and classes say so, of other values the module is taken."""
    home = getattr(value, "__module__", None) if callable(value) else None
    qualified = getattr(value, "__qualname__", name)
    return f"{home}.{qualified}" if home and home.startswith("redactkit") else f"{module_name}.{name}"


def _summary(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().split("\n\n")[0]


def _index() -> str:
    rows = []
    for name, (title, entries) in PAGES.items():
        modules = ", ".join(f"`{entry.partition(':')[0]}`" for entry in entries)
        rows.append(f"| [{title}]({name}.md) | {modules} |")
    head = (
        "# Reference\n\nWhat is listed here is public: it stays, or a changelog entry says what became of it. "
        "Every other name is the house's own.\n\n| page | modules |\n|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"
