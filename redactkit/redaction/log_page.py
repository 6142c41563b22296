"""The redaction log as one page to be printed: tables of text, and no picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from redactkit.runtime.html import show_facts, show_table
from redactkit.runtime.timecode import timecode

__all__ = ["log_html"]

_STYLE = """<style>
body { font: 13px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1100px; padding: 0 1em; }
h1 { font-size: 20px; } h2 { font-size: 15px; margin: 1.4em 0 0.4em; }
table { border-collapse: collapse; width: 100%; } thead { display: table-header-group; } tr { break-inside: avoid; }
th, td { border: 1px solid #bbb; padding: 3px 6px; vertical-align: top; overflow-wrap: break-word; }
th { background: #f1f3f5; } code { font-size: 12px; overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; font-size: 10px; } @page { size: A4 landscape; margin: 12mm; } }
</style>"""
_HASH_LETTERS = 12


def log_html(video: str, lines: pd.DataFrame) -> str:
    """Return the page.

    Parameters
    ----------
    video : str
        Name of the redacted video.
    lines : DataFrame
        As of `redactkit.redaction.log.RedactionLog`.
    """
    facts = json.loads(lines["details"].iloc[0])
    first = lines.iloc[0]
    objects = lines[lines["entry"].isin(["object", "range"])]
    edits = lines[lines["entry"] == "edit"]
    parts = [
        f"<h1>Redaction log of {escape(video)}</h1>",
        show_facts({"made by": first["by"], "at": first["at"], "lines": len(lines), **_counts(lines)}),
        "<h2>Files</h2>",
        show_table(["what", "name", "SHA-256"], _files(facts)),
        "<h2>What was hidden, and what was not</h2>",
        show_table(
            ["line", "object", "kind", "action", "from", "to", "frames", "how", "code", "reason", "note", "hash"],
            [_object_row(row) for row in _rows(objects)],
        ),
        "<h2>Edits and decisions</h2>" if len(edits) else "",
        show_table(
            ["line", "what", "by", "at", "hash"],
            [
                [row["line"], row["action"], row["by"], row["at"], _short(row["hash"])]
                for row in edits.to_dict("records")
            ],
        )
        if len(edits)
        else "",
        "<h2>Settings and versions</h2>",
        show_table(["what", "value"], _settings(facts)),
        f"<h2>Last hash</h2><code>{escape(str(lines['hash'].iloc[-1]))}</code>",
        "<p>Each line of the log's CSV and JSON has the hash of the line before it. "
        "<code>redactkit log --check FILE</code> finds lines that were changed, added, taken out or moved.</p>",
    ]
    head = f'<meta charset="utf-8"><title>Redaction log of {escape(video)}</title>{_STYLE}'
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _rows(lines: pd.DataFrame) -> list[dict[str, str]]:
    return [{str(name): str(value) for name, value in row.items()} for row in lines.to_dict(orient="records")]


def _counts(lines: pd.DataFrame) -> dict[str, int]:
    counts = lines.loc[lines["entry"] == "object", "action"].value_counts()
    return {str(action): int(count) for action, count in counts.items()}


def _files(facts: Mapping[str, Any]) -> list[list[object]]:
    rows: list[list[object]] = [
        [name, facts.get(key, ""), facts.get(f"{key}_sha256", "")]
        for name, key in (("before", "source"), ("after", "output"))
    ]
    return [*rows, ["annotations", "", facts.get("annotations_sha256", "")]]


def _object_row(row: Mapping[str, str]) -> list[object]:
    times = [timecode(float(row[name])) if row[name] else "" for name in ("start", "end")]
    cells = [row[name] for name in ("frames", "how", "code", "reason", "details")]
    return [row["line"], row["object"], row["kind"], row["action"], *times, *cells, _short(row["hash"])]


def _short(digest: str) -> str:
    return f"{digest[:_HASH_LETTERS]}…"


def _settings(facts: Mapping[str, Any]) -> list[list[object]]:
    rows: list[list[object]] = []
    for group in ("settings", "versions", "analysis"):
        for name, value in facts.get(group, {}).items():
            if value not in (None, "", [], {}):
                rows.append([name, json.dumps(value, default=str) if not isinstance(value, str) else value])
    check = facts.get("check")
    checked = [["leak check", check.get("verdict", "")]] if isinstance(check, Mapping) else [["leak check", "not done"]]
    return [*checked, *rows, *([note_name, note] for note_name, note in (("note", n) for n in facts.get("notes", ())))]
