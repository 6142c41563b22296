"""Read CVAT XML 1.1: tracks of a video, or boxes of images."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, Numbering, ParsedBoxes, by_frame
from redactkit.formats.attributes import READ, decision_of, person_of
from redactkit.formats.cvat_shapes import BEYOND, COMPUTED, box_around, integer, is_keyframe, is_outside, plain_track
from redactkit.formats.imagenames import number_names, videos_by_name
from redactkit.formats.keyframes import Knot, Track, as_box, lay_out
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.sizes import fit_images
from redactkit.formats.source import Source
from redactkit.formats.videos import choose_video
from redactkit.formats.xmlfile import Element, parse_xml

__all__ = ["read_cvat"]

_SHAPES = {"box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton"}
# What CVAT calls the frames of a video, without an ending; the number is that of the video, whatever the task's step.
_OF_VIDEO = re.compile(r"frame_\d{6,9}")
_NAMED = "CVAT names images by the video's frames, from 0"
_STEP = re.compile(r"step\s*=\s*(\d{1,9})")


@dataclass
class _Collected:
    """What the file says of one task, that is of one video."""

    found: ParsedBoxes = field(default_factory=ParsedBoxes)
    tracks: list[Track] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)
    images: dict[int, tuple[int, int]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    boxed: set[str] = field(default_factory=set)
    decided: dict[Any, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    outside: int = 0
    tags: int = 0


def read_cvat(source: Source) -> Reading:
    """Read CVAT XML, as CVAT itself would show it.

    A box holds from its frame to the next box of its track, moving in a straight line, and the last one
    to the end of the task; a box marked ``outside`` ends what comes before it. Other shapes arrive as the
    boxes around them, a skeleton as the box around its points. Of a project's tasks that of the video is read.
    """
    try:
        collected, remarks = _collect(source)
        numbering = _numbering(collected, source)
        if collected.images and not collected.tracks:
            several = _keep_one_video(collected, source)
            if several:
                collected.meta = {}  # what it says of frames is of all videos
                numbering = _number_by_name(collected)
            elif all(map(_OF_VIDEO.fullmatch, collected.names.values())):
                numbering = replace(_number_by_name(collected), rule=_NAMED, first=0, doubt="")
            remarks = [*remarks, *several]
        stop = _stop(collected)
        lay_out(collected.found, collected.tracks, stop)
        collected.tracks.clear()  # a large file's are as large as the boxes
        size, sized = _find_size(collected, source)
        return by_frame(
            collected.found,
            source,
            FileFacts(
                format="cvat",
                size=size,
                decisions=_decisions(collected),
                remarks=[*remarks, *sized, *_remarks(collected)],
            ),
            numbering=numbering,
            frame_count=stop + 1 - numbering.first,
            trusted=True,
        )
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _decisions(collected: _Collected) -> dict[int | str, dict[str, Any]]:
    return {face: decision_of(boxes) for face, boxes in collected.decided.items()}


def _collect(source: Source) -> tuple[_Collected, list[Remark]]:
    """Return what the file says of the task of the video, and a remark where it has several tasks."""
    recoded = "utf-8" if source.text is not source.data else None
    general: dict[str, str] = {}
    tasks: list[dict[str, str]] = []
    parts: dict[str | None, _Collected] = {}
    for element in parse_xml(source.text, ends={"track", "image", "meta"}, encoding=recoded):
        if element.name == "meta":
            found = [item for item in element.walk() if item.name == "task"]
            general |= _texts(element)
            tasks += [_texts(task) for task in found]
            continue
        part = parts.setdefault(element.attributes.get("task_id"), _Collected())
        (_take_track if element.name == "track" else _take_image)(part, element)
    if len(tasks) <= 1:
        tasks = [general]
    place, remarks = choose_video([_task_names(task) for task in tasks], source)
    task = tasks[place]
    if len(tasks) > 1 and None in parts:
        raise AnnotationError(
            f"the file has {len(tasks)} tasks, and tracks or images that do not say which they are of"
        )
    key = task.get("id") if len(tasks) > 1 else next(iter(parts), None)
    if len(tasks) == 1 and len(parts) > 1:
        names = [(str(number),) for number in parts]
        place, remarks = choose_video(names, source)
        key = list(parts)[place]
    collected = parts.get(key, _Collected())
    collected.meta = task
    return collected, remarks


def _keep_one_video(collected: _Collected, source: Source) -> list[Remark]:
    """Keep the images of the one video that is meant, where their names tell several; return what is to be said."""
    of_image = videos_by_name(list(collected.names.values()))
    if not of_image:
        return []
    names = list(dict.fromkeys(of_image))
    place, remarks = choose_video([(name, *PurePosixPath(name).parts) for name in names], source)
    kept = {frame for frame, name in zip(collected.names, of_image, strict=True) if name == names[place]}
    collected.images = {frame: size for frame, size in collected.images.items() if frame in kept}
    collected.names = {frame: name for frame, name in collected.names.items() if frame in kept}
    rows = [row for row, frame in enumerate(collected.found.at) if frame in kept]
    collected.found = collected.found.take(rows)
    collected.sizes = [collected.sizes[row] for row in rows]
    return remarks


def _number_by_name(collected: _Collected) -> Numbering:
    """Put images and boxes at the numbers in the images' names, since their IDs count the images of the file."""
    rule, numbers = number_names(list(collected.names.values()))
    number_of = dict(zip(collected.names, numbers, strict=True))
    collected.found.at = [number_of[frame] for frame in collected.found.at]
    collected.images = {number_of[frame]: size for frame, size in collected.images.items()}
    return Numbering(rule.rule, rule.first, numbers, rule.doubt)


def _texts(element: Element) -> dict[str, str]:
    """Return the text of every element inside by its name, of the first where several have one name."""
    return {item.name: item.text for item in reversed(list(element.walk())) if item.text}


def _task_names(task: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(task[name] for name in ("source", "name", "id") if task.get(name))


def _numbering(collected: _Collected, source: Source) -> Numbering:
    """Return the rule for frame numbers: CVAT writes those of the video, whatever the task's first frame and step.

    Some tools that write CVAT's format count from the task's first frame instead. Their numbers are put where CVAT
    has them, unless the caller says what they count from.
    """
    start, step = _meta_number(collected, "start_frame", 0), _step(collected)
    spoken = [track.first for track in collected.tracks if len(track.frames)] + list(collected.images)
    part = f"; the task starts at frame {start}" + (f" and takes every {step}th" if step > 1 else "") if start else ""
    if start and spoken and min(spoken) < start and source.first_frame is None:
        _count_from_start(collected, start, step)
        doubt = f"pass first_frame=0 (--first-frame 0) if they count from the video's first{part}"
        return Numbering(f"they counted from the task's first frame, {start}", doubt=doubt)
    listed = sorted(collected.images) if collected.images and not collected.tracks else None
    return Numbering(f"CVAT counts frames of the video from 0{part}", listed_frames=listed)


def _count_from_start(collected: _Collected, start: int, step: int) -> None:
    """Put frames that are numbered by the task at their numbers in the video."""
    highest = max([*(int(track.frames.max(initial=0)) for track in collected.tracks), *collected.images])
    if highest * step + start >= BEYOND:
        raise AnnotationError(f"frame {highest} of a task that takes every {step}th frame is beyond any video")
    collected.found.at = [frame * step + start for frame in collected.found.at]
    collected.tracks = [replace(track, frames=track.frames * step + start) for track in collected.tracks]
    for name in ("images", "names"):
        setattr(collected, name, {frame * step + start: what for frame, what in getattr(collected, name).items()})


def _meta_number(collected: _Collected, name: str, otherwise: int) -> int:
    try:
        value = int(collected.meta.get(name, otherwise))
    except ValueError:
        return otherwise
    return value if abs(value) < BEYOND else otherwise


def _step(collected: _Collected) -> int:
    """Return how many frames of the video the task's frames are apart, of a filter such as ``step=5``."""
    match = _STEP.search(collected.meta.get("frame_filter", ""))
    return int(match[1]) if match else 1


def _take_track(collected: _Collected, element: Element) -> None:
    face = integer(element, "id", element.attributes)
    label = element.attributes.get("label", "")
    shapes = _shapes(collected, element)
    attributes = [_attributes(collected, shape) for shape in shapes if not is_outside(shape)]
    person = next(filter(None, map(person_of, filter(None, attributes))), "")
    if any(attributes):
        collected.decided[face] += attributes
    more = {"place": f"line {element.line}", "person": person}
    plain = plain_track(face, label, shapes, **more)
    if plain is not None:
        collected.tracks.append(plain)
        collected.outside += not attributes
        return
    knots: dict[int, Knot] = {}
    doubled: list[Knot] = []
    for shape in shapes:
        frame = integer(shape, "frame", shape.attributes)
        known = knots.get(frame)
        if known is not None and not known.outside:
            doubled.append(known)
        outside, given = is_outside(shape), shape.attributes
        knots[frame] = Knot(frame, box_around(shape), outside, given.get("occluded") == "1", is_keyframe(shape))
    collected.outside += bool(knots) and not attributes
    ordered = [knots[frame] for frame in sorted(knots)]
    collected.tracks.append(Track.of(face, label, ordered, **more))
    for knot in doubled:
        # CVAT keeps the last of two shapes in a frame. The other may be a face too, so it holds to the next as well.
        after = next(([replace(later, outside=True)] for later in ordered if later.frame > knot.frame), [])
        collected.tracks.append(Track.of(face, label, [knot, *after], **more))


def _attributes(collected: _Collected, shape: Element) -> dict[str, str]:
    """Return the attributes that are read, by their names, and note the others."""
    attributes = {}
    for item in shape.children:
        if item.name == "attribute":
            name = item.attributes.get("name", "")
            if name in READ:
                attributes[name] = item.text
            elif name != COMPUTED:
                collected.lost.add(name)
    return attributes


def _take_image(collected: _Collected, element: Element) -> None:
    frame = integer(element, "id", element.attributes)
    size = (0, 0)
    if {"width", "height"} <= element.attributes.keys():
        size = (integer(element, "width", element.attributes), integer(element, "height", element.attributes))
    collected.images[frame] = size
    collected.names[frame] = element.attributes.get("name", "")
    collected.tags += sum(item.name == "tag" for item in element.children)
    for shape in _shapes(collected, element):
        name = next((item.text for item in shape.children if item.attributes.get("name") == "track_id"), None)
        attributes = _attributes(collected, shape)
        collected.found.add(
            frame,
            name,
            as_box(box_around(shape)),
            place=f"line {shape.line}",
            label=shape.attributes.get("label", ""),
            occluded=shape.attributes.get("occluded") == "1",
            person=person_of(attributes),
        )
        collected.sizes.append(size)
        if name is not None:
            collected.decided[name].append(attributes)


def _shapes(collected: _Collected, element: Element) -> list[Element]:
    shapes = [item for item in element.children if item.name in _SHAPES]
    collected.boxed |= {item.name for item in shapes if item.name != "box"}
    return shapes


def _find_size(collected: _Collected, source: Source) -> tuple[tuple[int, int], list[Remark]]:
    try:
        stated = (float(collected.meta.get("width", 0)), float(collected.meta.get("height", 0)))
    except ValueError:
        stated = (0.0, 0.0)
    # Boxes of tracks, which have no image, are in pixels of the video's frame.
    sizes = [*collected.sizes, *[(0, 0)] * (len(collected.found.at) - len(collected.sizes))]
    return fit_images(collected.found, sizes, source, stated=collected.images.values(), otherwise=stated)


def _stop(collected: _Collected) -> int:
    """Return the task's last frame: as the file states it, or the last frame that it speaks of."""
    start, step = _meta_number(collected, "start_frame", 0), _step(collected)
    by_size = start + (_meta_number(collected, "size", 0) - 1) * step
    stated = _meta_number(collected, "stop_frame", by_size)
    spoken = [track.last for track in collected.tracks]
    return max([stated, *spoken, *collected.found.at, *collected.images])


def _remarks(collected: _Collected) -> list[Remark]:
    remarks = []
    if shapes := ", ".join(sorted(collected.boxed)):
        remarks.append(Remark("other shapes", f"shapes of kind {shapes} became the boxes around them"))
    if lost := collected.lost - {"track_id"}:
        text = f"the attributes {', '.join(sorted(lost))[:200]} have no place in our tables and are left out"
        remarks.append(Remark("lost fields", text))
    if collected.outside:
        text = f"{collected.outside} tracks are marked as outside in each of their frames, so they are nowhere seen"
        remarks.append(Remark("no boxes", text))
    if collected.tags:
        text = f"{collected.tags} tags say that something is in an image but not where; they are left out"
        remarks.append(Remark("no boxes", text))
    return remarks
