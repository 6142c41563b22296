"""What the passes leave beside videos that shows or names persons, and how to be rid of it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from redactkit.errors import OptionError

__all__ = ["purge"]

_FILES = re.compile(r".+(_thumb\d{6}\.jpg|_annotations\.json|_IDList\.txt)|\..+\.redactkit-part(\..*)?", re.DOTALL)
_AUTOSAVE = b'{"journal":'
_FOLDERS = re.compile(r"\.redactkit-jobs|\..+\.redactkit-checkpoint", re.DOTALL)


def purge(folder: str | Path, *, dry_run: bool = False) -> list[Path]:
    """Remove thumbnails, annotations, ID lists, autosaves and unfinished work, in a folder and all below it.

    Videos, redacted ones and their reports stay. Links are not followed.

    Parameters
    ----------
    folder : path
    dry_run : bool
        Only say what would be removed.

    Returns
    -------
    list of Path
        What was removed, files and whole folders.

    Raises
    ------
    OptionError
        If ``folder`` is none.
    """
    home = Path(folder)
    if not home.is_dir():
        raise OptionError(f"{home} is not a folder")
    found = _found(home)
    for path in () if dry_run else found:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return found


def _found(folder: Path) -> list[Path]:
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        is_folder = path.is_dir() and not path.is_symlink()
        if (_FOLDERS if is_folder else _FILES).fullmatch(path.name) or (not is_folder and _is_autosave(path)):
            found.append(path)
        elif is_folder:
            found += _found(path)
    return found


def _is_autosave(path: Path) -> bool:
    """Tell a review's autosave, which may have any name, by how it begins."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_AUTOSAVE)) == _AUTOSAVE
