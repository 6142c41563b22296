"""The redaction log: what was hidden and what was not, why, by whom and when; to hand over with the video.

Each line has the hash of the line before it and one of its own, over everything else in it: a line that was changed,
added, taken out or moved shows. Who can write a whole new log can make it agree with itself, so keep the last hash
apart from the log.

References
----------
S. Haber, W. S. Stornetta, "How to time-stamp a digital document", Journal of Cryptology 3, 1991.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from redactkit.effects.look import format_look, parse_look
from redactkit.errors import MismatchError, OptionError
from redactkit.media import file_sha256
from redactkit.redaction.log_page import log_html
from redactkit.redaction.report import read_report
from redactkit.runtime.files import fit_name, report_path, write_text
from redactkit.runtime.marks import MARK
from redactkit.runtime.visible import parse_visible

__all__ = ["COLUMNS", "RedactionLog", "check_log", "logged_video", "read_codes", "redaction_log"]

COLUMNS = (
    "line", "entry", "object", "kind", "action", "start", "end", "frames", "boxes", "how", "code", "reason", "by", "at",
    "details", "previous", "hash",
)  # fmt: skip
_WORDS = ("kind", "code", "reason", "by")
"""Columns of free text. A spreadsheet runs a cell that begins like a formula, unless an apostrophe stands before it."""
_MARK = "redaction log"
_FIRST = "0" * 64
_AFTER_CODE = " :,;"  # what may stand between a code and what is said beside it


@dataclass(frozen=True, eq=False)
class RedactionLog:
    """The lines of a log, and where it is of.

    Parameters
    ----------
    video : Path
        The redacted video.
    lines : DataFrame
        Columns `COLUMNS`, all text.
    """

    video: Path
    lines: pd.DataFrame

    @property
    def last_hash(self) -> str:
        """The hash of the last line, which stands for the whole log; keep it apart."""
        return str(self.lines["hash"].iloc[-1])

    def to_csv(self) -> str:
        """Return the log as CSV."""
        return self.lines.to_csv(index=False, lineterminator="\n")

    def to_json(self) -> str:
        """Return the log as JSON."""
        document = {MARK: _MARK, "video": self.video.name, "lines": self.lines.to_dict(orient="records")}
        return json.dumps(document, indent=1)

    def to_html(self) -> str:
        """Return the log as one page to be printed; no picture is in it."""
        return log_html(self.video.name, self.lines)

    def save(self, *, overwrite: bool = False) -> list[Path]:
        """Write ``foo_redacted.log.csv``, ``.log.json`` and ``.log.html`` beside the video, and return their paths.

        Raises
        ------
        OutputExistsError
            If one is there and ``overwrite`` is false.
        """
        texts = {"csv": self.to_csv(), "json": self.to_json(), "html": self.to_html()}
        names = {ending: self.video.with_name(fit_name(self.video.stem, f".log.{ending}")) for ending in texts}
        return [write_text(names[ending], text, overwrite=overwrite) for ending, text in texts.items()]

    def __str__(self) -> str:
        counts = self.lines["action"].value_counts()
        counted = ", ".join(f"{count} {action}" for action, count in counts.items() if action)
        return f"{self.video}: {len(self.lines)} lines ({counted}), last hash {self.last_hash}"

    def _repr_html_(self) -> str:
        return self.to_html()


def redaction_log(
    redacted: str | Path, *, codes: Mapping[str, str] | str | Path | None = None, reason: str = ""
) -> RedactionLog:
    """Make the log of a redacted video from the report beside it.

    Parameters
    ----------
    redacted : path
        What `redactkit.redact` wrote.
    codes : mapping of str to str, or path, optional
        The reasons that there are: a code and its text each, such as exemption codes; as a file, see `read_codes`.
        Then every reason must be one of the codes, or begin with one. Without, reasons are free.
    reason : str
        Why objects are hidden of which no decision says it: a code, where there are codes.

    Raises
    ------
    OptionError
        If there is no report, or a reason is none of the codes.
    MismatchError
        If the report is of another file.

    Examples
    --------
    >>> redaction_log("lobby_redacted.mp4", codes={"b6": "Privacy"}, reason="b6").save()  # doctest: +SKIP
    """
    video, known = Path(redacted), read_codes(codes) if isinstance(codes, str | Path) else codes
    try:
        report = read_report(report_path(video))
        digest = report["output_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise OptionError(f"no report of {video} at {report_path(video)} ({err}); the log is made from it") from err
    if not video.is_file():
        raise OptionError(f"{video} is not there; the log is of what its report says about it")
    if digest != file_sha256(video):
        raise MismatchError(f"{video} is not the file of its report: its SHA-256 is another one")
    entries = list(_entries(report, reason))
    if known is not None:
        entries = [_coded(entry, known) for entry in entries]
    return RedactionLog(video, _chained(entries))


def read_codes(path: str | Path) -> dict[str, str]:
    """Read reasons from a file: JSON with one text a code, or lines ``code,text`` (CSV) or ``code text``.

    Raises
    ------
    OptionError
        If it cannot be read or holds none.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as err:
        raise OptionError(f"the reasons in {path} cannot be read: {err}") from err
    if text.lstrip().startswith("{"):
        try:
            codes = {str(code): str(said) for code, said in json.loads(text).items()}
        except ValueError as err:
            raise OptionError(f"the reasons in {path} are no JSON object of code and text: {err}") from err
    else:
        rows = csv.reader(io.StringIO(text)) if "," in text else (line.split(None, 1) for line in text.splitlines())
        codes = {row[0].strip(): (row[1] if len(row) > 1 else "").strip() for row in rows if row and row[0].strip()}
        codes.pop("code", None)
    if not codes:
        raise OptionError(f"{path} holds no reason; write a line for each, such as: b6,Privacy")
    return codes


def _entries(report: Mapping[str, Any], reason: str) -> Iterator[dict[str, str]]:
    """Yield the lines without their hashes: the redaction as a whole, then each object, then each edit."""
    settings, analysis = report["settings"], report.get("analysis", {})
    yield {
        "entry": "redaction",
        "by": report.get("user", ""),
        "at": report.get("created", ""),
        "details": json.dumps(_facts(report), sort_keys=True, default=str),
    }
    for start, end in settings.get("ranges") or ():
        yield {"entry": "range", "action": "redacted only here", "start": _text(start), "end": _text(end)}
    for row in report["faces"]:
        yield from _object_entries(row, reason)
    for edit in analysis.get("edits", ()):
        yield {"entry": "edit", "action": edit["name"], "by": edit.get("user", ""), "at": edit.get("at", "")}


def _facts(report: Mapping[str, Any]) -> dict[str, Any]:
    names = ("source_sha256", "output_sha256", "annotations_sha256", "settings", "versions", "notes", "ok")
    header = {name: report[name] for name in names if name in report}
    header |= {name: Path(str(report[name])).name for name in ("source", "output")}
    analysis = {name: value for name, value in report.get("analysis", {}).items() if name != "edits"}
    return header | {"analysis": analysis} | ({"check": report["verification"]} if "verification" in report else {})


def _object_entries(row: Mapping[str, Any], reason: str) -> Iterator[dict[str, str]]:
    one = {"entry": "object", "object": _text(row["face_id"]), "kind": str(row.get("kind", ""))}
    said = str(row.get("reason") or "")
    if not row["redact"]:
        times = {"start": _text(row.get("start")), "end": _text(row.get("end"))}
        yield one | times | {"action": "left visible", "reason": said}
        return
    bare = int(row.get("left_bare") or 0)
    note = {"details": f"{bare} boxes left bare by time ranges"} if bare else {}
    if not row["painted"]:
        times = {"start": _text(row.get("start")), "end": _text(row.get("end"))}
        yield one | times | note | {"action": "not hidden", "reason": said or reason}
        return
    counts = {"frames": _text(row["frames"]), "boxes": _text(row["painted"])}
    look = parse_look(str(row.get("look") or ""))
    rest = format_look({name: value for name, value in look.items() if name != "blur"})
    how = " ".join(filter(None, [str(look.get("blur") or row.get("blur", "")), rest]))
    # A report of an earlier version says only from when to when as a whole.
    stretches = row.get("hidden_at") or [(row.get("first_time"), row.get("last_time"))]
    for place, (start, end) in enumerate(stretches):
        times = {"start": _text(start), "end": _text(end)}
        said_once = counts | note if place == 0 else {}
        yield one | times | said_once | {"action": "hidden", "how": how, "reason": said or reason}
    for each in parse_visible(str(row.get("visible_at") or "")):
        times = {"start": _text(each.start), "end": _text(each.end)}
        yield one | times | {"action": "visible in a range", "reason": each.reason}


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _coded(entry: dict[str, str], codes: Mapping[str, str]) -> dict[str, str]:
    """Return a line with its code apart, and the code's text before what was said beside it."""
    said = entry.get("reason", "")
    if entry["entry"] != "object" or (not said and entry["action"] == "visible in a range"):
        return entry
    begun = (code for code in codes if said == code or said.startswith(tuple(code + mark for mark in _AFTER_CODE)))
    code = max(begun, key=len, default="")
    if not code:
        listed = ", ".join(list(codes)[:20])
        raise OptionError(
            f"object {entry['object']} ({entry['action']}) has the reason {said!r:.60}, which is none of {listed}; "
            "decide with one of them, or name one for all that have none with reason= (--reason)"
        )
    more = said.removeprefix(code).lstrip(_AFTER_CODE)
    return entry | {"code": code, "reason": ": ".join(filter(None, [codes[code], more]))}


def _chained(entries: list[dict[str, str]]) -> pd.DataFrame:
    """Return the lines numbered and chained; each says how many there are."""
    previous, rows = _FIRST, []
    for number, entry in enumerate(entries, start=1):
        row = dict.fromkeys(COLUMNS, "") | {name: " ".join(text.split()) for name, text in entry.items()}
        row |= {name: f"'{row[name]}" for name in _WORDS if row[name].startswith(("=", "+", "-", "@"))}
        row |= {"line": f"{number} of {len(entries)}", "previous": previous}
        previous = row["hash"] = _hash(row)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype("object")


def _hash(row: Mapping[str, str]) -> str:
    cells = [[name, str(row[name])] for name in COLUMNS if name != "hash"]
    return hashlib.sha256(json.dumps(cells, ensure_ascii=False).encode()).hexdigest()


def check_log(path: str | Path, *, last_hash: str = "") -> list[str]:
    """Return what is wrong with a saved log, nothing where every line is as it was written.

    Where the redacted video lies beside the log, it must be the one that the log is of.

    Parameters
    ----------
    path : path
        The CSV or JSON of a log.
    last_hash : str
        The hash that was kept apart; a log that was written anew as a whole is told by it alone.

    Raises
    ------
    OptionError
        If it is no log.

    Examples
    --------
    >>> check_log("lobby_redacted.log.csv")  # doctest: +SKIP
    []
    """
    rows, faults = _read_lines(Path(path))
    previous = _FIRST
    for number, row in enumerate(rows, start=1):
        if row["line"] != f"{number} of {len(rows)}":
            faults.append(f"line {number} calls itself {row['line']!r}: lines were added, taken out or moved")
        if row["previous"] != previous:
            faults.append(f"line {number} does not follow the line before it")
        if row["hash"] != _hash(row):
            faults.append(f"line {number} was changed ({row['entry']} {row['object']} {row['action']})".rstrip())
        previous = row["hash"]
    if last_hash and previous != last_hash.strip().lower():
        faults.append(f"the last hash is {previous}, and not {last_hash}")
    faults += _video_faults(Path(path), rows[0])
    return faults


def logged_video(path: str | Path) -> Path:
    """Return where the video of a log that `check_log` finds whole is looked for: beside the log."""
    rows, _ = _read_lines(Path(path))
    return _beside(Path(path), json.loads(rows[0]["details"]))


def _beside(path: Path, facts: Mapping[str, Any]) -> Path:
    return path.with_name(Path(str(facts["output"])).name)


def _video_faults(path: Path, first: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the video beside a log; nothing where there is none."""
    try:
        facts = json.loads(first["details"])
        video, digest = _beside(path, facts), facts["output_sha256"]
    except (ValueError, KeyError, TypeError):
        return ["its first line does not say which video it is of"]
    if not video.is_file() or file_sha256(video) == digest:
        return []
    return [f"{video.name} beside it is not the video that the log is of: its SHA-256 is another one"]


def _read_lines(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Return the lines, and what stands beside them, which no hash is over."""
    faults: list[str] = []
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets put a mark before it
        is_json = text.lstrip().startswith("{")
        rows = _json_rows(text, faults) if is_json else _csv_rows(text, faults)
        lines = [{name: str(row[name]) for name in COLUMNS} for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as err:
        missing = f"no column {err}" if isinstance(err, KeyError) else err
        raise OptionError(f"{path} is no redaction log (CSV or JSON): {missing}") from err
    if not lines:
        raise OptionError(f"{path} is no redaction log: it has no line")
    for number, row in enumerate(rows, start=1):
        faults += [f"line {number} has {name!r}, which no log has" for name in row if name not in COLUMNS]
        faults += [f"{name} of line {number} is no text" for name in COLUMNS if not isinstance(row[name], str)]
    return lines, faults


def _json_rows(text: str, faults: list[str]) -> list[dict[str, Any]]:
    """Return the lines of a log's JSON, and note what else in it is not as it was written."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # Of two values under one name a reader may see the other one.
        names = [name for name, _ in pairs]
        faults.extend(f"{name!r} stands there twice" for name in dict.fromkeys(names) if names.count(name) > 1)
        return dict(pairs)

    document = json.loads(text, object_pairs_hook=once)
    rows: list[dict[str, Any]] = document["lines"]
    of = json.loads(rows[0]["details"]).get("output") if rows else None
    if document.get("video") != of:
        faults.append(f"it calls itself the log of {document.get('video')!r}, and its first line is of {of!r}")
    if document.get(MARK) != _MARK:
        faults.append(f"it does not say that it is a {_MARK}")
    faults += [f"it has {name!r}, which no log has" for name in document if name not in (MARK, "video", "lines")]
    return rows


def _csv_rows(text: str, faults: list[str]) -> list[dict[str, Any]]:
    """Return the lines of a log's CSV; a value beyond the columns is noted."""
    read = csv.DictReader(io.StringIO(text), restkey="more values than columns")
    rows: list[dict[str, Any]] = list(read)
    names = list(read.fieldnames or ())
    faults.extend(f"the column {name!r} stands there twice" for name in COLUMNS if names.count(name) > 1)
    return rows
