"""A clip with a red square, and the model file of a tiny network that finds red: a detector of no faces."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from redactkit.detectors.runtime import ov

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
