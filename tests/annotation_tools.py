"""Files as other tools write them, made from rows of boxes, for tests that read them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import NamedTuple

SIZE = (640, 360)


class Row(NamedTuple):
    """A box: x, y, width, height in pixels."""

    frame: int
    face: int
    x: float
    y: float
    width: float
    height: float
    label: str

    @property
    def corners(self):
        return self.x, self.y, self.x + self.width, self.y + self.height


def zipped(files):
    """Return a ZIP archive of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def by_frame(rows, frames):
    return {frame: [row for row in rows if row.frame == frame] for frame in range(frames)}


def by_face(rows):
    return {face: sorted(row for row in rows if row.face == face) for face in sorted({row.face for row in rows})}


def as_voc(rows, frames):
    """One XML file an image, as CVAT writes it."""
    files = {}
    for frame, boxes in by_frame(rows, frames).items():
        objects = "".join(
            f"<object><name>{row.label}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
            f"<ymax>{bottom}</ymax></bndbox><attributes><attribute><name>track_id</name><value>{row.face}</value>"
            "</attribute></attributes></object>"
            for row in boxes
            for left, top, right, bottom in [row.corners]
        )
        size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height><depth>3</depth></size>"
        name = f"<filename>frame_{frame:06d}.png</filename>"
        files[f"Annotations/frame_{frame:06d}.xml"] = f"<annotation>{name}{size}{objects}</annotation>"
    return files


def as_labelme(rows, frames):
    """One JSON file an image."""
    return {
        f"frame_{frame:06d}.json": json.dumps(
            {
                "version": "5.0.1",
                "flags": {},
                "shapes": [
                    {
                        "label": row.label,
                        "points": [row.corners[:2], row.corners[2:]],
                        "group_id": row.face,
                        "shape_type": "rectangle",
                        "flags": {},
                    }
                    for row in boxes
                ],
                "imagePath": f"frame_{frame:06d}.jpg",
                "imageData": None,
                "imageHeight": SIZE[1],
                "imageWidth": SIZE[0],
            }
        )
        for frame, boxes in by_frame(rows, frames).items()
    }


def _regions(boxes):
    return [
        {
            "shape_attributes": {"name": "rect", "x": row.x, "y": row.y, "width": row.width, "height": row.height},
            "region_attributes": {"label": row.label, "track": str(row.face)},
        }
        for row in boxes
    ]


def as_via(rows, frames):
    """A project of version 2."""
    images = {
        f"f{frame}.jpg1": {"filename": f"f{frame}.jpg", "size": 1, "regions": _regions(boxes), "file_attributes": {}}
        for frame, boxes in by_frame(rows, frames).items()
    }
    return {"via.json": json.dumps({"_via_settings": {}, "_via_img_metadata": images, "_via_attributes": {}})}


def as_via_table(rows, frames):
    """The CSV export of version 2."""
    names = ["filename", "file_size", "file_attributes", "region_count", "region_id"]
    buffer = io.StringIO()
    table = csv.writer(buffer)
    table.writerow([*names, "region_shape_attributes", "region_attributes"])
    for frame, boxes in by_frame(rows, frames).items():
        regions = _regions(boxes)
        for number, region in enumerate(regions):
            shape, more = (json.dumps(region[name]) for name in ("shape_attributes", "region_attributes"))
            table.writerow([f"f{frame}.jpg", 1, "{}", len(regions), number, shape, more])
        if not regions:
            table.writerow([f"f{frame}.jpg", 1, "{}", 0, 0, "{}", "{}"])
    return {"via.csv": buffer.getvalue()}


def as_via3(rows, frames):
    """A project of version 3 about a video of 25 frames a second."""
    metadata = {
        f"1_{number}": {
            "vid": "1",
            "flg": 0,
            "z": [row.frame / 25],
            "xy": [2, row.x, row.y, row.width, row.height],
            "av": {"1": row.label, "2": str(row.face)},
        }
        for number, row in enumerate(rows)
    }
    attribute = {"1": {"aname": "label"}, "2": {"aname": "track_id"}}
    project = {"config": {}, "project": {}, "attribute": attribute, "metadata": metadata}
    project |= {"file": {"1": {"fid": "1", "fname": "a.mp4"}}, "view": {"1": {"fid_list": ["1"]}}}
    return {"via.json": json.dumps(project)}


def _percent(row):
    return {
        "x": row.x / SIZE[0] * 100,
        "y": row.y / SIZE[1] * 100,
        "width": row.width / SIZE[0] * 100,
        "height": row.height / SIZE[1] * 100,
    }


def as_labelstudio(rows, frames):
    """Tracks with a keyframe in every frame that has a box; one before a gap is not enabled."""
    results = []
    for face, own in by_face(rows).items():
        there = {row.frame for row in own}
        sequence = [
            {"frame": row.frame + 1, "enabled": row.frame + 1 in there, "rotation": 0, **_percent(row)} for row in own
        ]
        value = {"framesCount": frames, "duration": frames / 25, "sequence": sequence, "labels": [own[0].label]}
        results.append({"type": "videorectangle", "id": str(face), "value": value})
    task = {"id": 1, "data": {"video": "/data/upload/a.mp4"}, "annotations": [{"id": 1, "result": results}]}
    return {"project.json": json.dumps([task])}


def as_labelstudio_images(rows, frames):
    """Rectangles of images."""
    tasks = []
    for frame, boxes in by_frame(rows, frames).items():
        results = [
            {
                "type": "rectanglelabels",
                "id": str(row.face),
                "original_width": SIZE[0],
                "original_height": SIZE[1],
                "value": {"rotation": 0, "rectanglelabels": [row.label], **_percent(row)},
            }
            for row in boxes
        ]
        data = {"image": f"/data/local-files/?d=frame_{frame:04d}.png"}
        tasks.append({"id": frame, "data": data, "annotations": [{"result": results, "was_cancelled": False}]})
    return {"project.json": json.dumps(tasks)}


def _exterior(row):
    return {"points": {"exterior": [row.corners[:2], row.corners[2:]], "interior": []}}


def as_supervisely(rows, frames):
    """A video; objects have keys that are no numbers."""
    objects = [
        {"key": f"{face:032x}", "id": face, "classTitle": own[0].label, "tags": []}
        for face, own in by_face(rows).items()
    ]
    listed = [
        {
            "index": frame,
            "figures": [
                {
                    "key": "x",
                    "objectId": row.face,
                    "objectKey": f"{row.face:032x}",
                    "geometryType": "rectangle",
                    "geometry": _exterior(row),
                }
                for row in boxes
            ],
        }
        for frame, boxes in by_frame(rows, frames).items()
        if boxes
    ]
    size = {"width": SIZE[0], "height": SIZE[1]}
    document = {"size": size, "description": "", "key": "k", "tags": [], "objects": objects, "frames": listed}
    return {"ds0/ann/a.mp4.json": json.dumps({**document, "framesCount": frames})}


def as_supervisely_images(rows, frames):
    """A file for every image."""
    return {
        f"ds0/ann/frame_{frame:04d}.png.json": json.dumps(
            {
                "description": "",
                "tags": [],
                "size": {"width": SIZE[0], "height": SIZE[1]},
                "objects": [
                    {"classTitle": row.label, "geometryType": "rectangle", "tags": [], **_exterior(row)}
                    for row in boxes
                ],
            }
        )
        for frame, boxes in by_frame(rows, frames).items()
    }


def as_darwin(rows, frames):
    """A video; a range for every run of frames."""
    annotations = []
    for face, own in by_face(rows).items():
        runs: list[list[int]] = []
        for row in own:
            if runs and runs[-1][1] == row.frame:
                runs[-1][1] += 1
            else:
                runs.append([row.frame, row.frame + 1])
        keys = {
            str(row.frame): {"bounding_box": dict(zip("xywh", row[2:6], strict=True)), "keyframe": True} for row in own
        }
        item = {"id": f"id-{face}", "name": own[0].label, "frames": keys, "ranges": runs, "interpolated": True}
        annotations.append({**item, "instance_id": {"value": face}})
    slot = {"type": "video", "slot_name": "0", "width": SIZE[0], "height": SIZE[1], "fps": 25, "frame_count": frames}
    item = {"name": "a.mp4", "path": "/", "slots": [slot]}
    return {"a.json": json.dumps({"version": "2.0", "item": item, "annotations": annotations})}


def as_darwin_images(rows, frames):
    """A file for every image."""
    files = {}
    for frame, boxes in by_frame(rows, frames).items():
        slot = {"type": "image", "slot_name": "0", "width": SIZE[0], "height": SIZE[1]}
        annotations = [
            {
                "id": "x",
                "name": row.label,
                "bounding_box": dict(zip("xywh", row[2:6], strict=True)),
                "instance_id": {"value": row.face},
            }
            for row in boxes
        ]
        item = {"name": f"f_{frame:04d}.png", "path": "/", "slots": [slot]}
        files[f"f_{frame:04d}.json"] = json.dumps({"version": "2.0", "item": item, "annotations": annotations})
    return files


def as_datumaro(rows, frames):
    """What CVAT exports."""
    labels = sorted({row.label for row in rows})
    items = [
        {
            "id": f"frame_{frame:06d}",
            "attr": {"frame": frame},
            "image": {"path": f"frame_{frame:06d}.png", "size": [SIZE[1], SIZE[0]]},
            "annotations": [
                {
                    "id": 0,
                    "type": "bbox",
                    "attributes": {"occluded": False, "track_id": row.face},
                    "group": 0,
                    "label_id": labels.index(row.label),
                    "bbox": list(row[2:6]),
                }
                for row in boxes
            ],
        }
        for frame, boxes in by_frame(rows, frames).items()
    ]
    categories = {"label": {"labels": [{"name": name, "parent": "", "attributes": []} for name in labels]}}
    document = {"info": {}, "categories": categories, "items": items}
    return {"annotations/default.json": json.dumps(document)}


def as_scalabel(rows, frames):
    """A list of frames, as in BDD100K."""
    listed = [
        {
            "name": f"a-{frame:07d}.jpg",
            "videoName": "a",
            "frameIndex": frame,
            "labels": [
                {
                    "id": str(row.face),
                    "category": row.label,
                    "box2d": dict(zip(("x1", "y1", "x2", "y2"), row.corners, strict=True)),
                }
                for row in boxes
            ],
        }
        for frame, boxes in by_frame(rows, frames).items()
    ]
    return {"a.json": json.dumps(listed)}


def as_scalabel_dataset(rows, frames):
    """Frames with the configuration of a data set."""
    listed = json.loads(as_scalabel(rows, frames)["a.json"])
    config = {"imageSize": {"width": SIZE[0], "height": SIZE[1]}, "categories": []}
    return {"a.json": json.dumps({"frames": listed, "config": config})}


def as_openface(rows, frames):
    """Five landmarks of each face, at the corners and in the middle of the box but its upper third."""
    shares = [(0, 1 / 3), (1, 1 / 3), (0.5, 0.5), (0, 1), (1, 1)]
    names = [f"{axis}_{number}" for axis in "xy" for number in range(len(shares))]
    lines = [", ".join(["frame", "face_id", "timestamp", "confidence", "success", *names, "X_0"])]
    for row in rows:
        places = [row.x + row.width * share for share, _ in shares] + [row.y + row.height * part for _, part in shares]
        lines.append(", ".join(map(str, [row.frame + 1, row.face, row.frame / 25, 0.98, 1, *places, -1.5])))
    if frames > len({row.frame for row in rows}):
        empty = next(frame for frame in range(frames) if frame not in {row.frame for row in rows})
        lines.append(", ".join(map(str, [empty + 1, 0, empty / 25, 0, 0, *[0] * len(names), 0])))
    return {"a.csv": "\n".join(lines) + "\n"}


def as_wider(rows, frames):
    """Images with the number of their faces; a line of zeros where there is none."""
    lines = []
    for frame, boxes in by_frame(rows, frames).items():
        faces = [" ".join(map(str, [*row[2:6], 0, 0, 0, 0, 0, 0])) for row in boxes]
        lines += [f"0--Parade/frame_{frame:04d}.jpg", str(len(boxes)), *(faces or ["0 0 0 0 0 0 0 0 0 0"])]
    return {"wider.txt": "\n".join(lines) + "\n"}


def as_dlib(rows, frames):
    """Images of imglab."""
    images = []
    for frame, boxes in by_frame(rows, frames).items():
        inner = "".join(
            f"<box top='{row.y}' left='{row.x}' width='{row.width}' height='{row.height}'>"
            f"<label>{row.label}</label></box>"
            for row in boxes
        )
        images.append(f"<image file='f{frame:03d}.png' width='{SIZE[0]}' height='{SIZE[1]}'>{inner}</image>")
    return {"a.xml": f"<dataset><name>faces</name><images>{''.join(images)}</images></dataset>"}


def _kitti(row):
    return " ".join(map(str, [row.label, 0, 0, -1.79, *row.corners, 2.0, 1.8, 4.4, -4.5, 1.8, 13.4, -2.1]))


def as_kitti(rows, frames):
    """The tracking task."""
    lines = [f"{row.frame} {row.face} {_kitti(row)}" for row in rows]
    return {"0000.txt": "".join(f"{line}\n" for line in lines)}


def as_kitti_objects(rows, frames):
    """The object task: a file for every image."""
    return {
        f"label_2/{frame:06d}.txt": "".join(f"{_kitti(row)}\n" for row in boxes)
        for frame, boxes in by_frame(rows, frames).items()
    }


def as_visdrone(rows, frames):
    """The video tasks; persons are pedestrians there."""
    kinds = {"person": 1, "face": 2}
    lines = [",".join(map(str, [row.frame + 1, row.face, *row[2:6], 1, kinds[row.label], 0, 2])) for row in rows]
    return {"uav0.txt": "".join(f"{line}\n" for line in lines)}


def as_via3_table(rows, frames):
    """The CSV export of version 3."""
    attribute = {"1": {"aname": "label"}, "2": {"aname": "track_id"}}
    buffer = io.StringIO()
    buffer.write("# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)\n")
    buffer.write(f"# ATTRIBUTE = {json.dumps(attribute)}\n")
    buffer.write("# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n")
    table = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC)
    for number, row in enumerate(rows):
        cells = [["a.mp4"], [row.frame / 25], [2, row.x, row.y, row.width, row.height]]
        files, times, shape = map(json.dumps, cells)
        table.writerow([f"1_{number}", files, 0, times, shape, json.dumps({"1": row.label, "2": str(row.face)})])
    return {"via.csv": buffer.getvalue()}


TOOLS = {
    "voc": [as_voc],
    "labelme": [as_labelme],
    "via": [as_via, as_via_table, as_via3, as_via3_table],
    "labelstudio": [as_labelstudio, as_labelstudio_images],
    "supervisely": [as_supervisely, as_supervisely_images],
    "darwin": [as_darwin, as_darwin_images],
    "datumaro": [as_datumaro],
    "scalabel": [as_scalabel, as_scalabel_dataset],
    "openface": [as_openface],
    "wider": [as_wider],
    "dlib": [as_dlib],
    "kitti": [as_kitti, as_kitti_objects],
    "visdrone": [as_visdrone],
}
"""The makers of files of each format; each takes rows and the number of frames, and returns text by file name."""

TIMED = {as_via3, as_via3_table}
"""Makers whose files know frames by time."""
NAMELESS = {as_labelstudio_images, as_supervisely_images, as_wider, as_dlib, as_kitti_objects}
"""Makers whose files do not say which boxes are of one face."""

RENAMED = {
    as_openface: {"face": "", "person": ""},
    as_wider: {"person": "face"},
    as_visdrone: {"person": "pedestrian", "face": "people"},
}
"""What becomes of labels in files that have other names for them, or none."""
