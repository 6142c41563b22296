"""Leaks of every kind, planted in good redactions, for `benchmarks.leaks`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd

from benchmarks.clips import draw_ground, draw_heads
from redactkit import analyze, redact
from redactkit.annotations import Annotations
from redactkit.boxes import expand
from redactkit.effects import HIDING_KINDS
from redactkit.redaction import make_plan
from redactkit.redaction.preview import Preview
from redactkit.tables import BOX, as_detections
from redactkit.video import VideoReader, VideoWriter, WriterOptions, plane_views, probe

__all__ = ["Leak", "Scene", "cut_scene", "make_scene", "plant", "plant_cuts"]

FRAMES = 24
STRENGTHS = (40, 24, 16, 12, 8)
"""Cells along the longer side that a planted mosaic or blur leaves: Med leaves 4."""

GOOD = {"crf": "12", "preset": "veryfast", "threads": "1"}
"""Options of the encoder of the clips."""

Rows = pd.DataFrame


@dataclass(frozen=True)
class Scene:
    """A clip, its faces, and the one with which leaks are planted."""

    name: str
    clip: Path
    truth: Annotations
    face: int

    @property
    def rows(self) -> Rows:
        """The boxes of the face with which leaks are planted."""
        rows = self.truth.detections
        return rows[rows["face_id"] == self.face].sort_values("frame")


@dataclass(frozen=True)
class Leak:
    """One planted leak: the file, the annotations that the check gets, and the frames in question (none: any)."""

    kind: str
    name: str
    scene: Scene
    output: Path
    given: Annotations
    frames: frozenset[int] = frozenset()


def make_scene(folder: Path, side: int, *, frames: int = FRAMES) -> Scene:
    """Write a clip in which one face of ``side`` pixels crosses a street, and return it."""
    width, height = (2 * round(max(least, times * side) / 2) for least, times in ((320, 2.2), (180, 1.7)))
    head, ground = draw_heads()[1], draw_ground(width, height)
    scale = side / 200
    sprite = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    path, rows = folder / f"face_{side}.mp4", []

    def pictures() -> Iterator[np.ndarray]:
        for number in range(frames):
            picture = ground[:, number : number + width].astype(np.float32)
            x = round(width * 0.5 - sprite.shape[1] / 2 + (number - frames / 2) * side / 60)
            y = round(side * 0.05 if side > 100 else height * 0.3)
            _lay(picture, sprite, x, y)
            middle_x, middle_y = x + sprite.shape[1] / 2, y + sprite.shape[0] / 2
            rows.append((number, 1, middle_x - side * 0.4, middle_y - side / 2, side * 0.8, side))
            yield np.clip(picture, 0, 255).astype(np.uint8)

    _write(path, pictures())
    info = probe(path)
    table = pd.DataFrame(rows, columns=["frame", "face_id", *BOX])
    return Scene(f"{side} px", path, Annotations(info, as_detections(table.assign(time=info.times))), 1)


def _lay(picture: np.ndarray, sprite: np.ndarray, x: int, y: int) -> None:
    top, left = max(0, -y), max(0, -x)
    part = sprite[top : picture.shape[0] - y, left : picture.shape[1] - x]
    place = picture[max(0, y) : max(0, y) + part.shape[0], max(0, x) : max(0, x) + part.shape[1]]
    place[:] = place * (1 - part[..., 3:]) + 255 * part[..., :3]


def cut_scene(folder: Path, source: Path, span: tuple[int, int]) -> Scene:
    """Write some frames of a real clip, analyze them, and return them with the face of the largest boxes."""
    path = folder / source.name
    with av.open(str(path), "w") as output, VideoReader(source) as reader:
        stream = output.add_stream("libx264", rate=25, options=GOOD)
        stream.width, stream.height, stream.pix_fmt = reader.info.coded_width, reader.info.coded_height, "yuv420p"
        for frame in reader.frames(*span):
            picture = frame.picture.reformat(format="yuv420p")
            picture.pts, picture.time_base, picture.pict_type = frame.index - span[0], Fraction(1, 25), 0
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    found = analyze(path, progress=False)
    size = (found.detections["width"] * found.detections["height"]).groupby(found.detections["face_id"]).sum()
    return Scene(source.stem, path, found, int(size.idxmax()))


def boxes_elsewhere(scene: Scene) -> Iterator[tuple[str, str, Rows, frozenset[int]]]:
    """Yield kind, name, the boxes with which the video is redacted, and the frames in which they are wrong."""
    rows, everything = scene.rows, scene.truth.detections
    frames = rows["frame"].to_numpy()
    for count in (1, 2, 3, 5):
        for name, start in (("start", 0), ("middle", len(frames) // 2), ("end", len(frames) - count)):
            gone = set(frames[start : start + count].tolist())
            wrong = (everything["face_id"] == scene.face) & everything["frame"].isin(gone)
            yield "box missing", f"{count} frames, {name}", everything[~wrong], frozenset(gone)
    every = frozenset(frames.tolist())
    for name, change in (("shifted", (0.5, 0, 1, 1)), ("lowered", (0, 0.4, 1, 1)), ("left half", (0, 0, 0.5, 1))):
        yield "box off the face", name, _changed(everything, scene.face, change), every
    late = everything.copy()
    late.loc[late["face_id"] == scene.face, "frame"] += 1
    late = late[late["frame"] < scene.truth.frame_count]
    yield "box off the face", "late by a frame", late, frozenset([int(frames[0])])


def _changed(rows: Rows, face: int, change: tuple[float, float, float, float]) -> Rows:
    out = rows.copy()
    mine = out["face_id"] == face
    box = out.loc[mine, BOX].to_numpy()
    size = box[:, 2:]
    out.loc[mine, BOX] = np.hstack([box[:, :2] + size * change[:2], size * change[2:]])
    return out


Paint = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""From the source's and the hidden plane of a box, and the plane's number, to what is written."""


def gaussian(cells: int) -> Paint:
    """Blur the source down to so many cells along the longer side."""
    return lambda old, _, __: cv2.GaussianBlur(old, (0, 0), max(max(old.shape) / cells / 2, 0.3))


def mosaic(cells: int) -> Paint:
    """Show the source in so many blocks along the longer side."""

    def paint(old: np.ndarray, _: np.ndarray, __: int) -> np.ndarray:
        scale = min(1.0, cells / max(old.shape))
        size = [max(1, round(side * scale)) for side in old.shape[::-1]]
        small = cv2.resize(old, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, old.shape[::-1], interpolation=cv2.INTER_NEAREST))

    return paint


def _halved(old: np.ndarray) -> np.ndarray:
    small = cv2.resize(old, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, old.shape[::-1], interpolation=cv2.INTER_LINEAR))


def _half(old: np.ndarray, new: np.ndarray, number: int) -> np.ndarray:
    out = new.copy()
    out[:, : old.shape[1] // 2] = old[:, : old.shape[1] // 2]
    return out


PAINTS: dict[str, dict[str, Paint]] = {
    "weak painting": {
        **{f"Gaussian, {cells} cells": gaussian(cells) for cells in STRENGTHS},
        **{f"mosaic, {cells} cells": mosaic(cells) for cells in STRENGTHS},
        "half of the source shines through": lambda old, new, _: cv2.addWeighted(old, 0.5, new, 0.5, 0),
    },
    "altered painting": {
        "only brightness hidden": lambda old, new, number: old if number else new,
        "colour at half the resolution left": lambda old, new, number: (
            mosaic(max(old.shape) // 2)(old, new, 0) if number else new
        ),
        "turned upside down": lambda old, new, _: np.ascontiguousarray(old[::-1]),
        "only colour hidden": lambda old, new, number: new if number else old,
        "mirrored": lambda old, new, _: np.ascontiguousarray(old[:, ::-1]),
        "negative": lambda old, new, _: 255 - old,
        "left half bare": _half,
    },
    "forgotten painting": {"bare": lambda old, new, _: old},
}


def write_painted(
    scene: Scene, path: Path, paint: Paint, frames: frozenset[int], *, kind: str = "Med", crf: float | None = None
) -> Path:
    """Write a good redaction, but for some frames in which the face is painted otherwise."""
    info = scene.truth.video
    plan = make_plan(scene.truth.detections, info, faces=scene.truth.selected_ids)
    boxes = {
        int(row.frame): expand([[row.x, row.y, row.width, row.height]], share=0.15)[0]
        for row in scene.rows.itertuples()
    }
    with VideoReader(scene.clip, info=info) as reader, VideoWriter(path, info, WriterOptions(crf=crf)) as writer:
        preview = Preview(reader, plan, kind=kind)
        for index in range(info.frame_count):
            shown = preview.frame_at(index)
            if index in frames:
                _paint(reader.frame_at(index).picture, shown.picture, boxes[index], paint)
            writer.write(shown.picture, shown.pts)
    return path


def _paint(source: av.VideoFrame, picture: av.VideoFrame, box: np.ndarray, paint: Paint) -> None:
    for number, (old, new) in enumerate(zip(plane_views(source), plane_views(picture), strict=True)):
        shift = 1 if number else 0
        left, top, right, bottom = (round(value) >> shift for value in (*box[:2], *(box[:2] + box[2:])))
        part = slice(max(0, top), bottom), slice(max(0, left), right)
        new[part] = paint(old[part].copy(), new[part].copy(), number)


Planter = Callable[[Path], Leak]
"""Writes one leak to a path."""


def plant(folder: Path, scene: Scene, *, every: int = 1) -> Iterator[Leak]:
    """Plant leaks in one scene, one after the other.

    Parameters
    ----------
    folder : Path
    scene : Scene
    every : int
        Plant only every so many of each kind of mistake: in boxes, in painting, in the annotations.
    """
    for which, planters in enumerate((_box_planters(scene), _paint_planters(scene), _unknown_planters(scene))):
        for number, planter in enumerate(planters):
            if number % every == every // 2:
                yield planter(folder / f"{scene.clip.stem}_{which}_{number}.mp4")


def _box_planters(scene: Scene) -> Iterator[Planter]:
    for number, (kind, name, rows, frames) in enumerate(boxes_elsewhere(scene)):
        wrong = scene.truth.replace(detections=rows.reset_index(drop=True))
        blur = HIDING_KINDS[number % len(HIDING_KINDS)]

        def planter(output: Path, *, blur=blur, kind=kind, name=name, wrong=wrong, frames=frames) -> Leak:
            redact(scene.clip, wrong, output=output, blur=blur, progress=False)
            return Leak(kind, f"{name}, {blur}", scene, output, scene.truth, frames)

        yield planter


def _paint_planters(scene: Scene) -> Iterator[Planter]:
    frames = scene.rows["frame"].to_numpy()
    start, number = len(frames) // 2, 0
    for kind, paints in PAINTS.items():
        for name, paint in paints.items():
            for length, crf in ((1, None), (6, 28.0), (6, 35.0)) if name == "bare" else ((6, None),):
                chosen = frozenset(frames[start : start + length].tolist())
                told = f"{name}, {length} frame(s)" + (f", encoded at crf {crf:g}" if crf else "")
                blur = HIDING_KINDS[number % len(HIDING_KINDS)]
                number += 1

                def planter(
                    output: Path, *, kind=kind, paint=paint, chosen=chosen, crf=crf, told=told, blur=blur
                ) -> Leak:
                    write_painted(scene, output, paint, chosen, kind=blur, crf=crf)
                    return Leak(kind, f"{told}, {blur}", scene, output, scene.truth, chosen)

                yield planter


def _unknown_planters(scene: Scene) -> Iterator[Planter]:
    """Yield what is wrong in the annotations that the check gets too."""
    rows = scene.truth.detections
    mine = rows["face_id"] == scene.face
    frames = scene.rows["frame"].to_numpy()
    cases = {
        "whole face": rows[~mine],
        "3 frames between": rows[~(mine & rows["frame"].isin(frames[len(frames) // 2 :][:3]))],
        "half of each box": _changed(rows, scene.face, (0, 0, 0.5, 1)),
        "last 5 frames": rows[~(mine & rows["frame"].isin(frames[-5:]))],
        "shifted": _changed(rows, scene.face, (0.5, 0, 1, 1)),
        "first 3 frames": rows[~(mine & rows["frame"].isin(frames[:3]))],
    }
    for name, left in cases.items():
        wrong = scene.truth.replace(detections=left.reset_index(drop=True))

        def planter(output: Path, *, name=name, wrong=wrong) -> Leak:
            redact(scene.clip, wrong, output=output, allow_nothing=True, progress=False)
            return Leak("not in the annotations", name, scene, output, wrong)

        yield planter


def plant_cuts(folder: Path) -> Iterator[Leak]:
    """Plant one bare frame beside a cut, known to the annotations or not."""
    scene = make_scene(folder, 61, frames=12)
    clip, empty = folder / "cut.mp4", folder / "ground.mp4"
    _join(clip, [empty_scene(empty), scene.clip, empty])
    info = probe(clip)
    rows = scene.truth.detections.assign(frame=scene.truth.detections["frame"] + 12)
    rows = rows.assign(time=info.times[rows["frame"].to_numpy()])
    truth = Annotations(info, as_detections(rows), cuts=[12, 24])
    whole = Scene("cut", clip, truth, 1)
    for name, gone in {"first frame of a shot": [12], "last frame of a shot": [23]}.items():
        wrong = truth.replace(detections=rows[~rows["frame"].isin(gone)].reset_index(drop=True))
        for given, told in ((truth, "known"), (wrong, "not in the annotations")):
            output = folder / f"cut_{gone[0]}_{told[:3]}.mp4"
            redact(clip, wrong, output=output, progress=False)
            yield Leak("a cut's single frame", f"{name}, {told}", whole, output, given, frozenset(gone))
    flash = folder / "flash.mp4"
    _join(flash, [empty, scene.clip, empty], spans=[(0, 12), (6, 7), (0, 12)])
    nothing = Annotations(probe(flash), as_detections({name: [] for name in ("frame", "face_id", *BOX)}))
    output = folder / "flash_out.mp4"
    redact(flash, nothing, output=output, allow_nothing=True, progress=False)
    yield Leak("a cut's single frame", "a shot of one frame", Scene("cut", flash, nothing, 1), output, nothing)


def empty_scene(path: Path) -> Path:
    """Write 12 frames of a ground of another size than any face's."""
    ground = draw_ground(400, 200)
    _write(path, (np.ascontiguousarray(ground[10:190, number : number + 320]) for number in range(12)))
    return path


def _join(path: Path, clips: Sequence[Path], *, spans: Sequence[tuple[int, int]] | None = None) -> None:
    """Write spans of clips one after the other, scaled to the first one's size."""
    size = probe(clips[0])

    def pictures() -> Iterator[np.ndarray]:
        for number, clip in enumerate(clips):
            with VideoReader(clip) as reader:
                for frame in reader.frames(*(spans[number] if spans else (0, 12))):
                    yield cv2.resize(frame.rgb(), (size.width, size.height))

    _write(path, pictures())


def _write(path: Path, pictures: Iterator[np.ndarray]) -> None:
    with av.open(str(path), "w") as output:
        stream = None
        for picture in pictures:
            if stream is None:
                stream = output.add_stream(
                    "libx264", rate=25, options={"crf": "12", "preset": "veryfast", "threads": "1"}
                )
                stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], "yuv420p"
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
