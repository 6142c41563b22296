"""From what the caller names, a file, pages, an archive or a folder, to the source that a reader takes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from redactkit.errors import AnnotationError, OptionError
from redactkit.formats.catalogue import FORMATS
from redactkit.formats.detect_format import recognize, refuse_unknown
from redactkit.formats.normalize import Remark
from redactkit.formats.packed import Files, is_gzip, is_zip, read_folder, unpack_gzip, unpack_zip
from redactkit.formats.plain import is_table
from redactkit.formats.source import Source, load_bytes, to_utf8
from redactkit.formats.strangers import name_members
from redactkit.formats.videos import choose_video

__all__ = ["Paths", "open_source"]

Paths = str | Path | Sequence[str | Path]
_SHOWN = 8
_HELPERS = (".ini", ".yaml", ".yml", ".names", ".data", ".mat")
_IS_YOLO = re.compile(r"(^|/)(data\.yaml|obj\.names)$")


def open_source(
    path: Paths, *, format: str | None, make: Callable[[Path, bytes], Source]
) -> tuple[Source, str, list[Remark]]:
    """Return the source that is to be read, the name of its format, and remarks.

    Parameters
    ----------
    path : path, or sequence of paths
        Several files are the pages of one result.
    format : str, optional
        Default: recognised by content.
    make : callable
        Makes a source of a file's name and its bytes.

    Raises
    ------
    AnnotationError
        If it cannot be read, is of no format that is read, or has several annotation files and none is meant.
    """
    if not isinstance(path, str | Path):
        source = make(*_join_pages(path))
        return source, format or recognize(source), []
    place = Path(path)
    if place.is_dir():
        return _of_many(read_folder(place), make(place, b""), format, "folder")
    data = load_bytes(place)
    if is_gzip(data):
        data = unpack_gzip(data, path=place)
    if is_zip(data):
        return _of_many(unpack_zip(data, path=place), make(place, data), format, "archive")
    source = make(place, data)
    name = format or recognize(source)
    if name in FORMATS and FORMATS[name].many:
        source = replace(source, members={place.name: data})
    return source, name, []


def _join_pages(paths: Sequence[str | Path]) -> tuple[Path, bytes]:
    pages = []
    for path in paths:
        data = load_bytes(path)
        pages.append(to_utf8(unpack_gzip(data, path=path) if is_gzip(data) else data, path=path))
    if not pages:
        raise OptionError("no file to read; name at least one")
    return Path(paths[0]), b"\n".join(pages)


def _of_many(files: Files, source: Source, format: str | None, what: str) -> tuple[Source, str, list[Remark]]:
    """Return the one annotation file among many, or all of them where each is about one image."""
    formats = {name: found for name, data in files.items() if (found := _format_of(source, name, data))}
    if format is not None:
        formats = {name: found for name, found in formats.items() if found == format}
        formats = formats or dict.fromkeys(files if len(files) == 1 or FORMATS[format].many else (), format)
    elif not formats and any(_IS_YOLO.search(name) for name in files):
        formats = dict.fromkeys(files, "yolo")
    whole = [name for name, found in formats.items() if found in FORMATS and not FORMATS[found].many]
    if whole:
        place, remarks = _choose_file(whole, source, what)
        name = whole[place]
        remark = Remark("archive", f"of the {what} the file {name[:200]} was read", quiet=True)
        others = {other: data for other, data in files.items() if other != name}
        # What the caller calls the video may be the file's name, which its content need not know.
        video_name = source.video_name if len(whole) == 1 else None
        one = replace(source, path=source.path / name, data=files[name], beside=others, video_name=video_name)
        return one, formats[name], [remark, *remarks]
    many = sorted({found for found in formats.values() if found in FORMATS})
    if len(many) == 1:
        # What stands beside them is of them too: a reader may refuse it, but it is not passed over.
        folders = {PurePosixPath(name).parent for name, found in formats.items() if found == many[0]}
        members = {
            name: data
            for name, data in files.items()
            if PurePosixPath(name).parent in folders and name.lower().endswith(FORMATS[many[0]].many)
        }
        others = {other: data for other, data in files.items() if other not in members}
        remark = Remark("archive", f"of the {what} {len(members)} files were read", quiet=True)
        return replace(source, members=members, beside=others), many[0], [remark]
    if many:
        raise AnnotationError(
            f"{source.path}: the {what} has annotations of several kinds: {', '.join(many)}; name one"
        )
    stranger = name_members(_names_in(source)) if what == "archive" else None
    raise refuse_unknown(source, stranger or f"{_a(what)} without an annotation file ({len(files)} text files in it)")


def _a(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def _format_of(source: Source, name: str, data: bytes) -> str | None:
    """Return the format of one file among many; none of a table that is not of boxes."""
    if name.lower().endswith(_HELPERS):
        return None
    try:
        found = recognize(replace(source, path=source.path / name, data=data))
    except AnnotationError:
        return None
    return found if found != "csv" or is_table(data) else None


def _choose_file(names: Sequence[str], source: Source, what: str) -> tuple[int, list[Remark]]:
    if len(names) == 1:
        return 0, []
    try:
        return choose_video([(name, *Path(name).parts[:-1]) for name in names], source)
    except AnnotationError:
        listed = ", ".join(name[:80] for name in names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
        raise AnnotationError(
            f"{source.path}: the {what} has {len(names)} annotation files ({listed}); unpack it and name the one that "
            "is meant, or say its video with video_name= (--video-name)"
        ) from None


def _names_in(source: Source) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
        return archive.namelist()
