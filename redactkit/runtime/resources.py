"""Paths of the files that come with redactkit: the sample clip, its ground truth and the notebooks.

In a clone they are beside the package; in an installed wheel inside it.
"""

from __future__ import annotations

from pathlib import Path

from redactkit.errors import RedactkitError
from redactkit.runtime.files import make_private, write_bytes

__all__ = ["copy_notebooks", "is_shipped", "notebooks_path", "sample_path", "sample_truth_path"]

_PACKAGE = Path(__file__).parents[1]
_FIRST = "01_two_passes.ipynb"


def sample_path() -> Path:
    """Return the path of the sample clip: 20 seconds, 1280x720, six people, one cut.

    Returns
    -------
    Path

    Raises
    ------
    RedactkitError
        If the clip is neither in the package nor beside it.

    Examples
    --------
    >>> sample_path().name
    'sample.mp4'
    """
    return _find("sample_media", "sample.mp4")


def sample_truth_path() -> Path:
    """Return the path of the sample's ground truth: an annotation file with the true boxes and people.

    Raises
    ------
    RedactkitError
        If the file is neither in the package nor beside it.
    """
    return _find("sample_media", "sample_truth_annotations.json")


def notebooks_path() -> Path:
    """Return the folder of the notebooks; copy them before running them.

    Raises
    ------
    RedactkitError
        If the folder is neither in the package nor beside it.
    """
    return _find("notebooks", _FIRST).parent


def copy_notebooks(folder: str | Path) -> Path:
    """Return the folder of notebooks at ``folder``, first copied there if it has none.

    Parameters
    ----------
    folder : path
        Used as it is if it holds ``01_two_passes.ipynb``; else its subfolder ``notebooks`` is used, and what
        is missing in it copied there. Nothing that is there is replaced.

    Returns
    -------
    Path
    """
    target = Path(folder)
    if (target / _FIRST).is_file():
        return target
    target /= "notebooks"
    make_private(target)
    for notebook in sorted(notebooks_path().glob("*.ipynb")):
        if not (target / notebook.name).exists():
            write_bytes(target / notebook.name, notebook.read_bytes())
    return target


def is_shipped(path: str | Path) -> bool:
    """Return whether a path is in a folder that came with redactkit, where nobody's work belongs."""
    there = Path(path).resolve()
    return any(there.is_relative_to(place) for place in (_PACKAGE, _PACKAGE.parent / "sample_media"))


def _find(folder: str, name: str) -> Path:
    places = [_PACKAGE / folder / name, _PACKAGE.parent / folder / name]
    for place in places:
        if place.is_file():
            return place
    raise RedactkitError(f"{folder}/{name} is not in {_PACKAGE} nor beside it; install redactkit anew")
