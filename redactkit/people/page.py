"""A page that shows suggested pairs side by side and collects the answers in a file, with no server."""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from redactkit.runtime.files import write_text
from redactkit.runtime.html import show_table
from redactkit.runtime.marks import PEOPLE_MARK, XML_MARK
from redactkit.runtime.timecode import timecode

__all__ = ["save_page"]

MOST_PAIRS = 500
"""Pairs on one page, the most alike first."""

_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; }
.pair { display: flex; gap: 1em; align-items: center; border-bottom: 1px solid #ccc; padding: .6em 0; }
.pair img, .none { width: 112px; height: 112px; object-fit: contain; background: #ddd; }
.pair .said { flex: 1; } .sure { font-weight: bold; } label { margin-right: 1em; white-space: nowrap; }
button { font: inherit; padding: .4em 1em; }
"""

_SCRIPT = """
document.getElementById("save").onclick = () => {
  const answers = [...document.querySelectorAll("input:checked")].filter(one => one.value)
    .map(one => ({...JSON.parse(one.closest(".pair").dataset.pair), answer: one.value}));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify({redactkit: MARK, answers})], {type: "application/json"}));
  link.download = "people_answers.json";
  link.click();
};
"""


def save_page(
    path: str | Path, tracks: pd.DataFrame, people: pd.DataFrame, pairs: pd.DataFrame, *, overwrite: bool = False
) -> Path:
    """Write the page.

    Parameters
    ----------
    path : path
    tracks, people, pairs : DataFrame
        Of `redactkit.People`.
    overwrite : bool

    Raises
    ------
    OutputExistsError
        If the file exists and ``overwrite`` is false.
    """
    shown = pairs.head(MOST_PAIRS)
    rows = "".join(_pair(number, row, tracks) for number, row in enumerate(shown.itertuples(), start=1))
    columns = ["clips", "tracks", "seconds", "decision", "label"]
    values = [[key, *row] for key, row in zip(people.index, people[columns].round(1).to_numpy().tolist(), strict=True)]
    more = (
        f"<p>{len(pairs) - len(shown)} more pairs come when these are answered.</p>" if len(pairs) > len(shown) else ""
    )
    text = (
        f'<!doctype html>{XML_MARK}<html lang="en"><meta charset="utf-8"><title>One person?</title>'
        f"<style>{_STYLE}</style><body><h1>One person?</h1>"
        f"<p>{len(pairs)} pairs of tracks may be one person, the most alike first. Nothing is joined before you say "
        "so, and who is not known stays redacted. This page shows faces: keep it as you keep the videos.</p>"
        f'<form>{rows}</form>{more}<p><button id="save">Save the answers</button> Then '
        "<code>redactkit people FOLDER --answers people_answers.json</code>, or "
        "<code>people.answer(&quot;people_answers.json&quot;)</code>.</p>"
        f"<details><summary>All people</summary>{show_table(['person', *columns], values)}</details>"
        f"<script>const MARK = {json.dumps(PEOPLE_MARK)};{_SCRIPT}</script></body></html>"
    )
    return write_text(path, text, overwrite=overwrite)


def _pair(number: int, row: Any, tracks: pd.DataFrame) -> str:
    one, other = tracks.loc[row.face_id], tracks.loc[row.other_id]
    asked = {"clip": one["clip"], "face_id": int(one["face_id"])}
    asked |= {"other_clip": other["clip"], "other_id": int(other["face_id"])}
    how = f'<span class="{"sure" if row.sure else ""}">{"sure" if row.sure else "may be"}: {row.similarity:.2f}</span>'
    basis = "their faces" if row.basis == "face" else "colours of head and clothes"
    choices = "".join(
        f'<label><input type="radio" name="p{number}" value="{value}"{checked}> {name}</label>'
        for value, name, checked in (
            ("same", "one person", ""),
            ("different", "two people", ""),
            ("", "not now", " checked"),
        )
    )
    return (
        f'<div class="pair" data-pair="{escape(json.dumps(asked), quote=True)}">{_picture(one)}{_picture(other)}'
        f'<div class="said">{how}, by {basis}<br>'
        f"{_seen(one)}<br>{_seen(other)}<br>{choices}</div></div>"
    )


def _seen(track: pd.Series[Any]) -> str:
    clip, face = escape(str(track["clip"])), int(track["face_id"])
    when = f", {timecode(track['start'])} to {timecode(track['end'])}" if pd.notna(track["start"]) else ""
    return f"{clip}: face {face}{when}"


def _picture(track: pd.Series[Any]) -> str:
    path = track["thumbnail"]
    if not isinstance(path, Path) or not path.is_file():
        return '<div class="none"></div>'
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<img alt="face {int(track["face_id"])} of {escape(str(track["clip"]))}" src="data:image/jpeg;base64,{data}">'
    )
