"""Frame numbers in the names of images that were taken out of a video, and the names of those videos."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from redactkit.formats.numbering import Numbering

__all__ = ["ImageName", "number_names", "read_names", "videos_by_name"]

# Roboflow names images `clip_mp4-0012_jpg.rf.<hash>.jpg`: the hash has digits of its own.
_ROBOFLOW = re.compile(r"(_[a-zA-Z]{3,4})?\.rf\.[0-9a-zA-Z]{20,}$")
_EXTENSION_OF_VIDEO = re.compile(r"_(mp4|mov|avi|mkv|webm|m4v|mpg|mpeg|wmv)-$", re.IGNORECASE)
_NUMBER = re.compile(r"(\d{1,18})(\D*)$")
_MOST = 10_000_000


@dataclass(frozen=True)
class ImageName:
    """A name in parts: the folder and what stands before the number, the number, and what follows."""

    before: str
    number: int
    after: str

    @property
    def video(self) -> str:
        """What the name says of the video: its file's name, else the folder or the text before the number."""
        named = _EXTENSION_OF_VIDEO.search(self.before)
        if named:
            return f"{PurePosixPath(self.before[: named.start()]).name}.{named[1]}"
        return self.before.rstrip("_-. /") or self.before

    @property
    def of_video_file(self) -> bool:
        """Whether the name says that the image comes from a video file."""
        return _EXTENSION_OF_VIDEO.search(self.before) is not None


def read_names(names: Sequence[str]) -> list[ImageName] | None:
    """Return the names in parts, or None if one of them has no number.

    Examples
    --------
    >>> [name] = read_names(["clip_mp4-0012_jpg.rf.3ed24d700b137d1075a2ac511b338725.jpg"])
    >>> name.number, name.video
    (12, 'clip.mp4')
    >>> read_names(["a.jpg"]) is None
    True
    """
    parts = [_read_name(name) for name in names]
    found = [part for part in parts if part is not None]
    return found if len(found) == len(parts) else None


def _read_name(name: str) -> ImageName | None:
    folder, slash, base = name.replace("\\", "/").rpartition("/")
    stem = base.rpartition(".")[0] or base
    stem = _ROBOFLOW.sub("", stem) if ".rf" in stem else stem
    match = _NUMBER.search(stem)
    if match is None or int(match[1]) >= _MOST:
        return None
    return ImageName(folder + slash + stem[: match.start()], int(match[1]), match[2])


def videos_by_name(names: Sequence[str]) -> list[str]:
    """Return for every image the video that its name tells, where the names tell several; else nothing.

    Two images that have one number and different names are of different videos, as are those whose names have the
    names of different video files in them.

    Examples
    --------
    >>> videos_by_name(["a/0001.jpg", "b/0001.jpg"]), videos_by_name(["a/0001.jpg", "a/0002.jpg"])
    (['a', 'b'], [])
    """
    parts = read_names(names)
    if not parts:
        return []
    groups = {part.video for part in parts}
    repeated = len({(part.number, part.after) for part in parts}) < len({(p.before, p.number, p.after) for p in parts})
    if len(groups) == 1 or not (repeated or all(part.of_video_file for part in parts)):
        return []
    return [part.video for part in parts]


def number_names(names: Sequence[str]) -> tuple[Numbering, list[int]]:
    """Return how the images of one video are numbered by their names, and the number of each.

    The number is that in the name, where all have one and no two the same, else the image's place. FFmpeg numbers
    the images that it writes from 1; others from 0.

    Examples
    --------
    >>> rule, numbers = number_names(["f_0001.png", "f_0002.png"])
    >>> rule.first, numbers
    (1, [1, 2])
    """
    parts = read_names(names)
    if not parts or len({part.number for part in parts}) < len(parts) or len({part.after for part in parts}) > 1:
        rule = "images say no frame numbers, so they are numbered from 0 by their place in the file"
        return Numbering(rule), list(range(len(names)))
    numbers = [part.number for part in parts]
    if min(numbers) == 1:
        return Numbering("the numbers in file names count from 1, as FFmpeg writes them", 1), numbers
    doubt = "pass first_frame=1 (--first-frame 1) if they count from 1" if min(numbers) > 1 else ""
    return Numbering("the numbers in file names count from 0", doubt=doubt), numbers
