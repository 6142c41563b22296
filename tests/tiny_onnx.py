"""Tiny ONNX files, written byte by byte, so that tests need neither weights nor another package.

Only what the tests use is here: nodes with inputs, outputs and whole-number attributes, and constants of 32-bit floats.
The numbers of the fields are those of ``onnx.proto``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

FLOAT, INT64 = 1, 7


@dataclass(frozen=True)
class Node:
    """One operation: its type, the names of its inputs and outputs, and its attributes: whole numbers or lists."""

    kind: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, int | list[int]] = field(default_factory=dict)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    parts = []
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _number(key: int, value: int) -> bytes:
    return _varint(key << 3) + _varint(value)


def _bytes(key: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(key << 3 | 2) + _varint(len(data)) + data


def _attribute(name: str, value: int | list[int]) -> bytes:
    if isinstance(value, int):
        return _bytes(1, name) + _number(3, value) + _number(20, 2)
    return _bytes(1, name) + b"".join(_number(8, item) for item in value) + _number(20, 7)


def _node(node: Node) -> bytes:
    names = b"".join(_bytes(1, name) for name in node.inputs) + b"".join(_bytes(2, name) for name in node.outputs)
    return names + _bytes(4, node.kind) + b"".join(_bytes(5, _attribute(*item)) for item in node.attributes.items())


def _tensor(name: str, value: ArrayLike) -> bytes:
    array = np.asarray(value)
    whole = array.dtype.kind == "i"
    data = array.astype("<i8" if whole else "<f4")
    sizes = b"".join(_number(1, size) for size in data.shape)
    return sizes + _number(2, INT64 if whole else FLOAT) + _bytes(8, name) + _bytes(9, data.tobytes())


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    sizes = b"".join(_bytes(1, _bytes(2, size) if isinstance(size, str) else _number(1, size)) for size in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, FLOAT) + _bytes(2, sizes)))


def make_onnx(
    nodes: Sequence[Node],
    *,
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str]],
    constants: Mapping[str, ArrayLike] | None = None,
) -> bytes:
    """Return the bytes of an ONNX file; a size given by name is dynamic."""
    graph = b"".join(_bytes(1, _node(node)) for node in nodes) + _bytes(2, "tiny")
    graph += b"".join(_bytes(5, _tensor(name, value)) for name, value in (constants or {}).items())
    graph += b"".join(_bytes(11, _value(*item)) for item in inputs.items())
    graph += b"".join(_bytes(12, _value(*item)) for item in outputs.items())
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 13))
