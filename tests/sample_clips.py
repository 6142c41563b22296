"""Small clips that tests make from the sample clip, with their ground truth."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from redactkit.annotations import Annotations
from redactkit.formats import read_annotations
from redactkit.runtime.resources import sample_path, sample_truth_path
from redactkit.tables import BOX
from redactkit.video import VideoReader, probe


def cut_sample(path: Path, *, start: int = 0, stop: int = 60, width: int = 640, height: int = 360) -> Path:
    """Write frames ``start`` to ``stop`` of the sample at another size, with AAC sound, and return the path."""
    with av.open(str(path), "w") as output, VideoReader(sample_path()) as reader:
        video = output.add_stream("libx264", rate=25, options={"crf": "20", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = output.add_stream("aac", rate=48000, layout="mono")
        for number, frame in enumerate(reader.frames(start, stop)):
            picture = frame.picture.reformat(width=width, height=height)
            picture.pts, picture.time_base, picture.pict_type = number, Fraction(1, 25), 0
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
        for number in range((stop - start) * 48000 // 25 // 1024):
            sound = av.AudioFrame(format="fltp", layout="mono", samples=1024)
            sound.planes[0].update(bytes(4096))
            sound.sample_rate, sound.pts = 48000, number * 1024
            output.mux(audio.encode(sound))
        output.mux(audio.encode(None))
    return path


def sample_truth(clip: Path, *, start: int = 0) -> Annotations:
    """Return the true boxes of a clip that `cut_sample` made, as annotations of that clip."""
    info = probe(clip)
    rows = read_annotations(sample_truth_path()).detections
    rows = rows[(rows["frame"] >= start) & (rows["frame"] < start + info.frame_count)].reset_index(drop=True)
    rows["frame"] -= start
    rows["time"] = info.times[rows["frame"].to_numpy()]
    rows[BOX] = rows[BOX].to_numpy() * (info.width / 1280)
    return Annotations(video=info, detections=rows)
