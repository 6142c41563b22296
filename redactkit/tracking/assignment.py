"""Solve the linear assignment problem: which rows go with which columns, such that the costs sum up to the least.

SciPy has the same algorithm. Importing it takes 36 MB and half a core-second, of every analysis in which two tracks
want one box; the matrices here are small.

References
----------
Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Transactions on Aerospace and Electronic Systems,
2016.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def assign(cost: FloatArray) -> tuple[IntArray, IntArray]:
    """Return the pairs of negative cost with the least sum, in which no row and no column is twice.

    Parameters
    ----------
    cost : ndarray of shape (M, N)
        Finite. A pair that costs 0 or more is never made.

    Returns
    -------
    rows, columns : ndarray of shape (K,), int64
        The rows ascending.

    Examples
    --------
    >>> rows, columns = assign(np.array([[-3.0, -2], [-2, 0], [0, 0]]))
    >>> list(zip(rows.tolist(), columns.tolist()))
    [(0, 1), (1, 0)]
    """
    real = cost < 0
    # A pair that shares its row and its column with no other is in every best assignment.
    alone = real & (real.sum(axis=1, keepdims=True) == 1) & (real.sum(axis=0, keepdims=True) == 1)
    rows, columns = alone.nonzero()
    contested = real & ~alone
    if not contested.any():
        return rows, columns
    (left,), (top,) = contested.any(axis=1).nonzero(), contested.any(axis=0).nonzero()
    row, column = _solved(np.minimum(cost[np.ix_(left, top)], 0.0))
    made = real[left[row], top[column]]
    rows, columns = np.append(rows, left[row][made]), np.append(columns, top[column][made])
    order = np.argsort(rows)
    return rows[order], columns[order]


def _solved(cost: FloatArray) -> tuple[IntArray, IntArray]:
    """Return the best assignment of every row or of every column, whichever are fewer."""
    turned = cost.shape[0] > cost.shape[1]
    matrix: list[list[float]] = (cost.T if turned else cost).tolist()
    count, width = len(matrix), len(matrix[0])
    # The dual variables of rows and columns; who has which partner, -1 for nobody.
    rows, columns = [0.0] * count, [0.0] * width
    column_of, row_of = [-1] * count, [-1] * width
    for start in range(count):
        before, distance, reached, length = _shortest_path(matrix, start, rows, columns, row_of)
        # The duals keep the reduced costs positive, so that the next path is found as well.
        rows[start] += length
        for column in reached[:-1]:
            rows[row_of[column]] += length - distance[column]
        for column in reached:
            columns[column] -= length - distance[column]
        # Along the path, each row takes the column that the row after it gives up.
        column = reached[-1]
        while True:
            row = before[column]
            row_of[column] = row
            column_of[row], column = column, column_of[row]
            if row == start:
                break
    pairs = np.arange(count), np.array(column_of)
    return pairs[::-1] if turned else pairs


def _shortest_path(
    matrix: list[list[float]], row: int, rows: list[float], columns: list[float], row_of: list[int]
) -> tuple[list[int], list[float], list[int], float]:
    """Find the shortest augmenting path from a row to a free column, by Dijkstra's algorithm on reduced costs.

    Returns
    -------
    before : list of int
        From which row each column is reached.
    distance : list of float
        Of each column.
    reached : list of int
        The columns that are settled, the free one last.
    length : float
        Of the path.
    """
    before, distance = [-1] * len(columns), [math.inf] * len(columns)
    left, reached, length = [*range(len(columns))], list[int](), 0.0
    while True:
        for column in left:
            through = length + matrix[row][column] - rows[row] - columns[column]
            if through < distance[column]:
                before[column], distance[column] = row, through
        # Of equally near columns a free one ends the path.
        nearest = min(left, key=lambda column: (distance[column], row_of[column] >= 0))
        length = distance[nearest]
        left.remove(nearest)
        reached.append(nearest)
        if row_of[nearest] < 0:
            return before, distance, reached, length
        row = row_of[nearest]
