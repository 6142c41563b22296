"""Detectors of the SCRFD kind by path, on a tiny network of that form: it finds white squares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from redactkit.detectors import load_detector
from redactkit.errors import DetectorError
from tests.tiny_onnx import Node, make_onnx


def white_squares(*, width: int = 4) -> bytes:
    """Return a network whose confidence at a place is how white the 8 (16, 32) pixels from it on are."""
    nodes, constants, outputs = [], {"flat": np.array([-1, 1]), "flat4": np.array([-1, width])}, {}
    # Pixels come as -1 to 1. Of the two anchors of a place the second is never sure.
    constants["score"] = np.array([[0.25] * 3, [0.0] * 3]).reshape(2, 3, 1, 1)
    constants["half"] = np.array([0.25, 0.0])
    constants["none"] = np.zeros((2 * width, 3, 1, 1))
    constants["one"] = np.tile([0.0, 0, 1, 1], 2)[: 2 * width] if width == 4 else np.zeros(2 * width)
    for stride in (8, 16, 32):
        s = str(stride)
        nodes += [
            Node("AveragePool", ["x"], [f"mean{s}"], {"kernel_shape": [stride] * 2, "strides": [stride] * 2}),
            Node("Conv", [f"mean{s}", "score", "half"], [f"a{s}"]),
            Node("Transpose", [f"a{s}"], [f"b{s}"], {"perm": [0, 2, 3, 1]}),
            Node("Reshape", [f"b{s}", "flat"], [f"scores{s}"]),
            Node("Conv", [f"mean{s}", "none", "one"], [f"c{s}"]),
            Node("Transpose", [f"c{s}"], [f"d{s}"], {"perm": [0, 2, 3, 1]}),
            Node("Reshape", [f"d{s}", "flat4"], [f"boxes{s}"]),
        ]
        outputs |= {f"scores{s}": ["n", 1], f"boxes{s}": ["n", width]}
    return make_onnx(nodes, inputs={"x": [1, 3, "h", "w"]}, outputs=outputs, constants=constants)


def test_a_file_of_the_kind_finds_what_it_knows_in_images_of_any_size(tmp_path: Path) -> None:
    path = tmp_path / "squares.onnx"
    path.write_bytes(white_squares())
    detector = load_detector("scrfd", model=path, threshold=0.8)
    small, large = np.zeros((64, 96, 3), np.uint8), np.zeros((200, 320, 3), np.uint8)
    small[32:40, 16:24] = 255
    large[64:96, 128:160] = 255
    assert detector([np.zeros((40, 40, 3), np.uint8)])[0].shape == (0, 5)
    found = detector([small, large])
    assert found[0][0] == pytest.approx([16, 32, 8, 8, 1], abs=0.02)
    whole = found[1][found[1][:, 2] > 30]
    assert whole[0] == pytest.approx([128, 64, 32, 32, 1], abs=0.02)


def test_a_model_must_be_named_and_be_of_the_kind(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="non-commercial"):
        load_detector("scrfd")
    path = tmp_path / "other.onnx"
    with pytest.raises(DetectorError, match=r"other\.onnx cannot be read"):
        load_detector("scrfd", model=path)
    path.write_bytes(white_squares(width=3))
    with pytest.raises(DetectorError, match="none of the SCRFD kind"):
        load_detector("scrfd", model=path)([np.zeros((64, 64, 3), np.uint8)])
