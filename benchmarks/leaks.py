"""What the leak check catches, and where it cries wolf: ``python -m benchmarks.leaks``.

Leaks of every kind are planted in good redactions: boxes that are missing, shifted, halved or late, weak, mirrored or
partial painting, faces that nobody found, and tricks with the container. One counts as caught where the verdict is
not clean and a finding lies in one of its frames. Then good redactions in every hiding kind are checked.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd

from benchmarks.clips import draw_ground, draw_heads
from redactkit import analyze, redact, verify
from redactkit.annotations import Annotations
from redactkit.boxes import expand
from redactkit.effects import KINDS
from redactkit.redaction import make_plan
from redactkit.redaction.preview import Preview
from redactkit.tables import BOX, as_detections
from redactkit.verification import VerificationReport
from redactkit.video import VideoReader, VideoWriter, WriterOptions, plane_views, probe

SIDES = (12, 20, 60, 200, 600)
FRAMES = 36
SHARED = Path(__file__).resolve().parents[2] / "shared" / "media"
CUTS = {"stage_four_shots.mp4": (40, 88), "portrait_selfie.mp4": (0, 32)}
HIDING = [name for name, kind in KINDS.items() if not kind.cosmetic]
STRENGTHS = (40, 24, 16, 12, 8)
"""Cells along the longer side that a planted mosaic or blur leaves: Med leaves 4."""

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


def make_scene(folder: Path, side: int) -> Scene:
    """Write a clip in which one face of ``side`` pixels crosses a street, and return it."""
    width, height = (2 * round(max(least, times * side) / 2) for least, times in ((320, 2.2), (180, 1.7)))
    head, ground = draw_heads()[1], draw_ground(width, height)
    scale = side / 200
    sprite = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    path, rows = folder / f"face_{side}.mp4", []
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "12", "preset": "veryfast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(FRAMES):
            picture = ground[:, number : number + width].astype(np.float32)
            x, y = (
                round(width * 0.5 - sprite.shape[1] / 2 + (number - FRAMES / 2) * side / 60),
                round(side * 0.05 if side > 100 else height * 0.3),
            )
            _lay(picture, sprite, x, y)
            middle_x, middle_y = x + sprite.shape[1] / 2, y + sprite.shape[0] - sprite.shape[0] / 2
            rows.append((number, 1, middle_x - side * 0.4, middle_y - side / 2, side * 0.8, side))
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
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
        stream = output.add_stream("libx264", rate=25, options={"crf": "12", "preset": "veryfast", "threads": "1"})
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


def plant(folder: Path, scenes: Sequence[Scene]) -> Iterator[Leak]:
    """Plant the leaks one after the other."""
    for place, scene in enumerate(scenes):
        yield from _plant_boxes(folder, scene, kinds=HIDING if place == 2 else HIDING[place % len(HIDING) :][:1])
        yield from _plant_paint(folder, scene)
        yield from _plant_unknown(folder, scene)


def _plant_boxes(folder: Path, scene: Scene, *, kinds: Sequence[str]) -> Iterator[Leak]:
    for number, (kind, name, rows, frames) in enumerate(boxes_elsewhere(scene)):
        blur = kinds[number % len(kinds)]
        output = folder / f"{scene.clip.stem}_boxes{number}.mp4"
        wrong = scene.truth.replace(detections=rows.reset_index(drop=True))
        redact(scene.clip, wrong, output=output, blur=blur, progress=False)
        yield Leak(kind, f"{name}, {blur}", scene, output, scene.truth, frames)


def _plant_paint(folder: Path, scene: Scene) -> Iterator[Leak]:
    frames = scene.rows["frame"].to_numpy()
    number = 0
    for kind, paints in PAINTS.items():
        for name, paint in paints.items():
            for length, crf in ((1, None), (6, 28.0)) if kind == "forgotten painting" else ((6, None),):
                number += 1
                start = len(frames) // 2
                chosen = frozenset(frames[start : start + length].tolist())
                output = write_painted(scene, folder / f"{scene.clip.stem}_paint{number}.mp4", paint, chosen, crf=crf)
                told = f"{name}, {length} frame(s)" + (f", encoded at crf {crf:g}" if crf else "")
                yield Leak(kind, told, scene, output, scene.truth, chosen)


def _plant_unknown(folder: Path, scene: Scene) -> Iterator[Leak]:
    """Plant what is wrong in the annotations that the check gets too."""
    rows = scene.truth.detections
    mine = rows["face_id"] == scene.face
    frames = scene.rows["frame"].to_numpy()
    cases = {"whole face": rows[~mine], "last 5 frames": rows[~(mine & rows["frame"].isin(frames[-5:]))]}
    cases |= {"3 frames between": rows[~(mine & rows["frame"].isin(frames[15:18]))]}
    cases |= {
        "half of each box": _changed(rows, scene.face, (0, 0, 0.5, 1)),
        "shifted": _changed(rows, scene.face, (0.5, 0, 1, 1)),
    }
    for number, (name, left) in enumerate(cases.items()):
        wrong = scene.truth.replace(detections=left.reset_index(drop=True))
        output = folder / f"{scene.clip.stem}_unknown{number}.mp4"
        redact(scene.clip, wrong, output=output, allow_nothing=True, progress=False)
        yield Leak("not in the annotations", name, scene, output, wrong)


def plant_container(folder: Path, scene: Scene) -> Iterator[Leak]:
    """Plant the source in the container of a good redaction."""
    good = folder / "good.mp4"
    redact(scene.clip, scene.truth, output=good, progress=False)
    source = scene.clip.read_bytes()
    for name, make in {"bytes after the last box": _appended, "bytes in a free box": _boxed}.items():
        output = folder / f"container_{len(name)}.mp4"
        output.write_bytes(make(good.read_bytes(), source))
        yield Leak("container", name, scene, output, scene.truth)
    second = folder / "second.mp4"
    _second_stream(good, scene.clip, second)
    yield Leak("container", "second video stream", scene, second, scene.truth)
    cover = folder / "cover.mp4"
    _cover(good, scene.clip, cover)
    yield Leak("container", "cover picture", scene, cover, scene.truth)


def _appended(good: bytes, source: bytes) -> bytes:
    return good + source


def _boxed(good: bytes, source: bytes) -> bytes:
    return good + (len(source) + 8).to_bytes(4, "big") + b"free" + source


def _second_stream(good: Path, source: Path, target: Path) -> None:
    with av.open(str(good)) as one, av.open(str(source)) as two, av.open(str(target), "w") as output:
        pairs = [(each, each.streams.video[0]) for each in (one, two)]
        made = [output.add_stream_from_template(stream) for _, stream in pairs]
        for (container, stream), new in zip(pairs, made, strict=True):
            for packet in container.demux(stream):
                if packet.size:
                    packet.stream = new
                    output.mux(packet)


def _cover(good: Path, source: Path, target: Path) -> None:
    with VideoReader(source) as reader:
        picture = reader.frame_at(0).rgb()
    with av.open(str(good)) as one, av.open(str(target), "w") as output:
        stream = one.streams.video[0]
        new = output.add_stream_from_template(stream)
        image = output.add_stream("mjpeg", rate=25)
        image.width, image.height, image.pix_fmt = picture.shape[1], picture.shape[0], "yuvj420p"
        image.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuvj420p")
        output.mux(image.encode(frame))
        output.mux(image.encode(None))
        for packet in one.demux(stream):
            if packet.size:
                packet.stream = new
                output.mux(packet)


def is_caught(leak: Leak, report: VerificationReport) -> bool:
    """Tell whether a finding, sure or to be looked at, lies in one of the leak's frames."""
    found = report.findings
    if leak.kind == "container":
        return report.verdict in ("exposed", "broken")
    if not leak.frames:
        return len(found) > 0
    spans = zip(found["first_frame"], found["last_frame"], strict=True)
    return any(first <= frame <= last for first, last in spans for frame in leak.frames)


def run(leaks: Iterator[Leak]) -> pd.DataFrame:
    """Check every leak and return one row for each."""
    rows = []
    for leak in leaks:
        report = verify(leak.scene.clip, leak.output, leak.given, progress=False)
        caught = is_caught(leak, report)
        rows.append(
            {
                "kind": leak.kind,
                "scene": leak.scene.name,
                "leak": leak.name,
                "verdict": report.verdict,
                "caught": caught,
            }
        )
        print(
            f"{'caught' if caught else 'MISSED'}  {leak.kind}: {leak.name} ({leak.scene.name}), {report.verdict}",
            flush=True,
        )
    return pd.DataFrame(rows)


def false_alarms(folder: Path, clips: Sequence[tuple[Path, Annotations]]) -> None:
    """Check good redactions in every hiding kind."""
    for clip, found in clips:
        for kind in HIDING:
            output = folder / f"{clip.stem}_good_{kind}.mp4"
            redact(clip, found, output=output, blur=kind, progress=False)
            began = time.perf_counter()
            report = verify(clip, output, found, progress=False)
            took = time.perf_counter() - began
            print(f"{clip.name}, {kind}: {report.verdict}, {len(report.findings)} findings, {took:.1f} s", flush=True)


def main() -> None:
    """Plant, check and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="scenes, such as '20 px' or stage_four_shots")
    parser.add_argument(
        "--alarms", nargs="*", default=None, metavar="VIDEO", help="only check good redactions of these"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="redactkit-leaks-") as place:
        folder = Path(place)
        if options.alarms is not None:
            clips = [Path(name) for name in options.alarms]
            false_alarms(folder, [(clip, analyze(clip, progress=False)) for clip in clips])
            return
        scenes = [make_scene(folder, side) for side in SIDES if not options.only or f"{side} px" in options.only]
        there = {name: span for name, span in CUTS.items() if (SHARED / name).is_file()}
        scenes += [
            cut_scene(folder, SHARED / name, span)
            for name, span in there.items()
            if not options.only or Path(name).stem in options.only
        ]
        table = run(plant(folder, scenes))
        if not options.only or "container" in options.only:
            middle = next((scene for scene in scenes if scene.name == "60 px"), None) or make_scene(folder, 60)
            table = pd.concat([table, run(plant_container(folder, middle))])
        print(table.groupby("kind", sort=False)["caught"].agg(caught="sum", planted="size").to_string())
        print(f"{int(table['caught'].sum())} of {len(table)} caught")


if __name__ == "__main__":
    main()
