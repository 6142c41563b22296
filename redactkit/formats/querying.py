"""Choose boxes by a condition on their columns and on those of their tracks: ``label == 'face' and duration > 2``.

`pandas.DataFrame.query` does the work. By itself it would also reach variables (``@name``), attributes and calls, so
that a condition could run code; here only comparisons of columns with numbers, texts and lists pass.
"""

from __future__ import annotations

import ast

import numpy as np
import pandas as pd

from redactkit.annotations import Annotations
from redactkit.errors import OptionError
from redactkit.formats.attributes import FACE_LABEL
from redactkit.formats.labels import class_names

__all__ = ["columns_for_query", "query"]

_LONGEST = 2000
_LOGIC = (ast.And, ast.Or, ast.Not, ast.USub)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def query(annotations: Annotations, condition: str) -> Annotations:
    """Return annotations with only those boxes for which a condition holds, and the decisions about their faces.

    Parameters
    ----------
    annotations : Annotations
    condition : str
        Comparisons (``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``in``, ``not in``), joined by ``and``, ``or``,
        ``not`` and parentheses; ``+ - * /`` between numbers. Names are columns of `redactkit.tables.DETECTIONS` and
        of `redactkit.tables.TRACKS`; ``label`` is that of the box, or its kind where it has none, ``face_label`` the
        name that the analyst gave the face.

    Raises
    ------
    OptionError
        If the condition is no comparison, names what is no column, compares what cannot be compared, or no box
        fits it.

    Examples
    --------
    >>> query(annotations, "label == 'face' and duration > 2")  # doctest: +SKIP
    """
    table = columns_for_query(annotations)
    _check(condition, table)
    try:
        kept = np.asarray(table.eval(condition, engine="python"))
    except (TypeError, ValueError, KeyError, SyntaxError, NotImplementedError, pd.errors.UndefinedVariableError) as err:
        raise OptionError(f"the condition {condition!r} cannot be evaluated: {err}") from err
    if kept.dtype != bool or kept.shape != (len(table),):
        raise OptionError(
            f"the condition {condition!r} must be true or false for each box; compare, as in duration > 2"
        )
    if len(table) and not kept.any():
        raise OptionError(f"no box fits the condition {condition!r}")
    rows = annotations.detections[kept].reset_index(drop=True)
    decisions = annotations.decisions
    return annotations.replace(detections=rows, decisions=decisions[decisions.index.isin(rows["face_id"])])


def columns_for_query(annotations: Annotations) -> pd.DataFrame:
    """Return a row for each box with its columns and those of its track."""
    rows = annotations.detections
    tracks = annotations.tracks.rename(columns={"label": FACE_LABEL}).drop(columns="thumbnail")
    more = tracks.drop(columns=[name for name in tracks if name in rows]).reindex(rows["face_id"])
    table = rows.assign(label=np.array(class_names(rows), object), source=rows["source"].astype(str))
    return table.assign(**{str(name): more[name].to_numpy() for name in more})


def _check(condition: str, table: pd.DataFrame) -> None:
    """Refuse what is no plain comparison of columns."""
    if len(condition) > _LONGEST:
        raise OptionError(f"a condition has at most {_LONGEST} characters, got {len(condition)}")
    try:
        root = ast.parse(condition.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as err:
        raise OptionError(f"{condition!r} is no condition ({err}); write one such as duration > 2") from err
    for node in ast.walk(root):
        _check_node(node, condition, table)


def _check_node(node: ast.AST, condition: str, table: pd.DataFrame) -> None:
    if isinstance(node, ast.Name):
        if node.id not in table:
            raise OptionError(f"{node.id} is no column; the columns are {', '.join(map(str, table))}")
    elif isinstance(node, ast.BinOp):
        # Texts times numbers would grow without bounds.
        if not isinstance(node.op, _ARITHMETIC) or not all(_is_number(side, table) for side in (node.left, node.right)):
            raise OptionError(f"{_part(condition, node)} is no sum, difference, product or quotient of numbers")
    elif isinstance(node, ast.Constant):
        if not isinstance(node.value, int | float | str):
            raise OptionError(f"{_part(condition, node)} is no number and no text in quotes")
    elif not isinstance(node, ast.BoolOp | ast.UnaryOp | ast.Compare | ast.List | ast.Tuple | ast.Load):
        known = (*_LOGIC, *_COMPARISONS, *_ARITHMETIC)
        if not isinstance(node, known):
            raise OptionError(
                f"{_part(condition, node)} is no comparison; write conditions such as "
                "label == 'face' and duration > 2, joined by and, or, not"
            )


def _is_number(node: ast.AST, table: pd.DataFrame) -> bool:
    if isinstance(node, ast.Name):
        return node.id in table and table[node.id].dtype.kind in "bif"
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float)
    return isinstance(node, ast.BinOp | ast.UnaryOp)


def _part(condition: str, node: ast.AST) -> str:
    return repr(ast.get_source_segment(condition.strip(), node) or condition)
