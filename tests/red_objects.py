"""A clip with a red square, and the model file of a tiny network that finds red: a detector of no faces."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from redactkit.detectors.runtime import ov
from tests.tiny_onnx import Node, make_onnx

SIDE, CELL = 320, 16


def red_finder(path: Path, *, side: int = SIDE) -> Path:
    """Save a network of YOLO's layout that finds red: the mean of red less green and blue over each cell."""
    ops = ov.opset13
    picture = ops.parameter([1, 3, side, side], np.float32, name="picture")
    weights = np.array([1.0, -1.0, -1.0], np.float32).reshape(1, 3, 1, 1)
    red = ops.convolution(picture, ops.constant(weights), [1, 1], [0, 0], [0, 0], [1, 1])
    pooled = ops.avg_pool(red, [CELL, CELL], [0, 0], [0, 0], [CELL, CELL], True)
    scores = ops.clamp(pooled, 0.0, 1.0)
    count = (side // CELL) ** 2
    flat = ops.reshape(scores, ops.constant(np.array([1, 1, count], np.int64)), False)
    middles = (np.arange(side // CELL) + 0.5) * CELL
    down, across = (grid.ravel() for grid in np.meshgrid(middles, middles, indexing="ij"))
    sides = np.full(count, 3.0 * CELL)
    boxes = ops.constant(np.stack([across, down, sides, sides])[None].astype(np.float32))
    ov.save_model(ov.Model([ops.concat([boxes, flat], 1)], [picture]), str(path), compress_to_fp16=False)
    return path


def red_onnx(path: Path, *, layout: str, side: int = SIDE) -> Path:
    """Save the same network as an ONNX file with the outputs of a layout, named as its exporter names them."""
    count = (side // CELL) ** 2
    middles = (np.arange(side // CELL) + 0.5) * CELL
    down, across = (grid.ravel() for grid in np.meshgrid(middles, middles, indexing="ij"))
    sides = np.full(count, 3.0 * CELL)
    centred = np.stack([across, down, sides, sides], axis=1)[None]
    corners = np.concatenate([centred[..., :2] - sides[0] / 2, centred[..., :2] + sides[0] / 2], axis=2) / side
    sure = np.ones((1, count, 1))
    constants = {
        "weights": np.array([1.0, -1.0, -1.0]).reshape(1, 3, 1, 1),
        "least": np.array(0.0),
        "most": np.array(1.0),
        "rows": np.array([1, count, 1]),
        "flat": np.array([1, count]),
        "centred": centred,
        "columns": centred.transpose(0, 2, 1),
        "corners": corners,
        "corners_y_first": corners[..., [1, 0, 3, 2]],
        "sure": sure,
        "unsure": 1 - sure,
        "classes": sure[..., 0],
        "number": np.array([float(count)]),
    }
    pool = {"kernel_shape": [CELL, CELL], "strides": [CELL, CELL]}
    nodes = [
        Node("Conv", ["picture", "weights"], ["red"], {"kernel_shape": [1, 1]}),
        Node("AveragePool", ["red"], ["pooled"], pool),
        Node("Clip", ["pooled", "least", "most"], ["clipped"]),
        Node("Reshape", ["clipped", "rows"], ["scores"]),
    ]
    tails = {
        "yolov8": [
            Node("Transpose", ["scores"], ["score_row"], {"perm": [0, 2, 1]}),
            Node("Concat", ["columns", "score_row"], ["output0"], {"axis": 1}),
        ],
        "yolov5": [Node("Concat", ["centred", "scores", "sure", "unsure"], ["output"], {"axis": 2})],
        "ssd": [
            Node("Identity", ["corners"], ["boxes"]),
            Node("Concat", ["unsure", "scores"], ["confidences"], {"axis": 2}),
        ],
        "ssd_tensorflow": [
            Node("Identity", ["corners_y_first"], ["detection_boxes"]),
            Node("Identity", ["classes"], ["detection_classes"]),
            Node("Reshape", ["scores", "flat"], ["detection_scores"]),
            Node("Identity", ["number"], ["num_detections"]),
        ],
    }
    outputs = {
        "yolov8": {"output0": [1, 5, count]},
        "yolov5": {"output": [1, count, 7]},
        "ssd": {"boxes": [1, count, 4], "confidences": [1, count, 2]},
        "ssd_tensorflow": {
            "detection_boxes": [1, count, 4],
            "detection_classes": [1, count],
            "detection_scores": [1, count],
            "num_detections": [1],
        },
    }
    model = make_onnx(
        [*nodes, *tails[layout]],
        inputs={"picture": [1, 3, side, side]},
        outputs=outputs[layout],
        constants=constants,
    )
    path.write_bytes(model)
    return path


def make_red_clip(path: Path, *, keyframes: int = 250) -> Path:
    """Write 25 frames of a red square that moves over grey noise, one keyframe in so many, and return the path."""
    noise = np.random.default_rng(0).integers(80, 100, (360, 640, 3), dtype=np.uint8)
    options = {"crf": "18", "threads": "1", "g": str(keyframes), "sc_threshold": "0"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(25):
            pixels = noise.copy()
            pixels[150:198, 100 + 6 * number : 148 + 6 * number] = (250, 10, 10)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path
