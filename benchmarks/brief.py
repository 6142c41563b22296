"""Faces that show for a few frames only: ``python -m benchmarks.brief``.

Around labelled frames, pieces of the labelled clips are made in which all faces are blurred, but for 1, 2, 3 or 5
frames. Scored is what the first pass covers in the labelled frame, which is in the middle of these; *boxes* are those
it has there, *false* those on no label.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.evaluate import COVER, IOU, Labels, first_pass, labelled_clips
from redactkit import boxes as bx
from redactkit.tables import BOX
from redactkit.video import VideoReader

LENGTHS = (1, 2, 3, 5)
REACH_FRAMES = 9
BLUR_MARGIN = 0.35
MOST_PIECES = 25


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.brief", description=__doc__)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    rows = []
    for clip, labels in labelled_clips():
        with tempfile.TemporaryDirectory() as folder:
            for length in LENGTHS:
                counts = [_score(*piece) for piece in _pieces(clip, labels, length, folder=Path(folder))]
                rows.append({"clip": clip.name, "frames": length, **pd.DataFrame(counts).sum().to_dict()})
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if options.json:
        Path(options.json).write_text(table.to_json(orient="records", indent=1))


def _pieces(clip: Path, labels: Labels, length: int, *, folder: Path) -> Iterator[tuple[Path, int, pd.DataFrame]]:
    """Yield a piece for each of some labelled frames, the place of that frame in it, and its labels."""
    found = first_pass(clip).detections
    truth = pd.DataFrame(labels["labels"]).rename(columns={"w": "width", "h": "height"})
    with VideoReader(clip) as reader:
        images = [frame.rgb() for frame in reader.frames()]
        rate = reader.info.frame_rate
    every = max(1, len(labels["labelled_frames"]) // MOST_PIECES)
    for number, frame in enumerate(labels["labelled_frames"][::every]):
        # Another start for each piece, so that other frames are sampled.
        start, stop = max(0, frame - REACH_FRAMES - number % 8), min(len(images), frame + REACH_FRAMES + 1)
        shown = range(frame - (length - 1) // 2, frame + length // 2 + 1)
        piece = [
            images[n] if n in shown else _blurred(images[n], found.loc[found["frame"] == n, BOX].dropna().to_numpy())
            for n in range(start, stop)
        ]
        path = folder / f"{frame}_{length}.mp4"
        _write(path, piece, rate)
        yield path, frame - start, truth[truth["frame"] == frame]


def _blurred(image: NDArray[np.uint8], boxes: bx.FloatArray) -> NDArray[np.uint8]:
    import cv2

    blurred = image.copy()
    for box in bx.expand(boxes, share=BLUR_MARGIN):
        left, top, right, bottom = np.rint(bx.to_corners(box[None])[0]).astype(int).clip(0)
        part = blurred[top:bottom, left:right]
        if part.size:
            side = max(part.shape[:2]) | 1
            part[:] = cv2.blur(cv2.blur(part, (side, side)), (side, side))
    return blurred


def _write(path: Path, images: Sequence[NDArray[np.uint8]], rate: Any) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=rate, options={"crf": "8", "preset": "veryfast"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def _score(clip: Path, frame: int, labels: pd.DataFrame) -> dict[str, int]:
    found = first_pass(clip).detections
    here, faces = found.loc[found["frame"] == frame, BOX].to_numpy(float), labels[BOX].to_numpy(float)
    covered = bx.union_cover(faces, here) >= COVER
    counts = {}
    for kind in ("clear", "hard"):
        of_kind = (labels["kind"] == kind).to_numpy()
        counts |= {f"{kind} covered": int(covered[of_kind].sum()), f"{kind} faces": int(of_kind.sum())}
    on_none = (bx.iou(here, faces).max(axis=1, initial=0) < IOU) & (bx.union_cover(here, faces) < 0.5)
    return {**counts, "boxes": len(here), "false": int(on_none.sum())}


if __name__ == "__main__":
    main()
