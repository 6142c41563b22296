"""One step of the speed benchmark, run in a process of its own: ``python -m benchmarks.steps STEP CLIP OUTPUT``.

Prints JSON: seconds (imports left out, ours and others', for they do not grow with the clip; loading models and all
else counts), and what the step can say of its result.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import redactkit as rk
from redactkit.analysis.search import plan_search
from redactkit.annotations import Annotations
from redactkit.detectors import run_detector
from redactkit.video import VideoReader
from redactkit.video.encoding import choose_encoding

Result = dict[str, Any]
PREPARED = 25
IMPORTS = ("cv2", "deface.deface", "redactkit.detectors.centerface", "redactkit.passes", "redactkit.verification")


def decode(clip: Path, output: Path) -> Result:
    with VideoReader(clip) as reader:
        return {"frames": sum(1 for _ in reader.frames())}


def transcode(clip: Path, output: Path) -> Result:
    """Plain PyAV: decode, encode with our settings, nothing else."""
    import av

    encoding = choose_encoding(rk.probe(clip))
    with av.open(str(clip)) as source, av.open(str(output), "w") as target:
        video = source.streams.video[0]
        video.thread_type = "AUTO"
        options = {
            **encoding.options,
            "threads": "auto",
        }  # one for each segment, where the video is written in segments
        stream = target.add_stream(encoding.encoder, rate=video.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, video.pix_fmt  # type: ignore[union-attr]
        for frame in source.decode(video):
            frame.pict_type = 0
            target.mux(stream.encode(frame))  # type: ignore[union-attr]
        target.mux(stream.encode(None))  # type: ignore[union-attr]
    return {"bytes": output.stat().st_size}


def detector(clip: Path, output: Path) -> Result:
    """Run the detector alone on all letterboxes of every frame, on pictures prepared before the clock starts."""
    search = plan_search(rk.probe(clip))
    width, height = search.letterboxes[0].width, search.letterboxes[0].height
    with VideoReader(clip) as reader:
        images = [frame.rgb(width=width, height=height) for frame in reader.frames(0, PREPARED)]
        frames = reader.info.frame_count
    prepared = [each.picture(image) for each in search.letterboxes for image in images]
    run_detector(search.detector, prepared)
    start = time.perf_counter()
    for _ in range(0, frames, PREPARED):
        run_detector(search.detector, prepared)
    return {"frames": -(-frames // PREPARED) * PREPARED, "seconds": time.perf_counter() - start}


def analyze(clip: Path, output: Path) -> Result:
    annotations = rk.analyze(clip, progress=False)
    annotations.to("azure", output.with_suffix(".json"), overwrite=True)
    return {"boxes": len(annotations.detections)}


def redact(clip: Path, output: Path, **options: Any) -> Result:
    annotations = _truth(clip)
    report = rk.redact(clip, annotations, output=output, overwrite=True, progress=False, **options)
    return {"bytes": output.stat().st_size, "ok": report.ok}


def redact_encode(clip: Path, output: Path) -> Result:
    return redact(clip, output, smart_copy=False)


def combined(clip: Path, output: Path) -> Result:
    report = rk.combined(clip, output=output, overwrite=True, progress=False)
    return {"bytes": output.stat().st_size, "ok": report.ok}


def verify(clip: Path, output: Path) -> Result:
    """Check what the step ``redact`` has written; where that was not run, redact first, outside the clock."""
    redacted = output.with_name(output.name.replace(".verify.", ".redact."))
    if not redacted.is_file():
        redact(clip, redacted)
    truth = _truth(clip)
    start = time.perf_counter()
    report = rk.verify(clip, redacted, truth, progress=False)
    return {"ok": report.ok, "verdict": report.verdict, "seconds": time.perf_counter() - start}


def deface(clip: Path, output: Path, *options: str) -> Result:
    from deface.deface import main

    sys.argv = ["deface", str(clip), "-o", str(output), *options]
    main()
    return {"bytes": output.stat().st_size}


def deface_scaled(clip: Path, output: Path) -> Result:
    return deface(clip, output, "--scale", "640x360")


def _truth(clip: Path) -> Annotations:
    return rk.read_annotations(clip.with_suffix(".truth.json"))


STEPS = {
    "decode": decode,
    "detector": detector,
    "transcode": transcode,
    "analyze": analyze,
    "redact": redact,
    "redact no copy": redact_encode,
    "combined": combined,
    "verify": verify,
    "deface": deface,
    "deface 640x360": deface_scaled,
}


def main() -> None:
    name, clip, output = sys.argv[1:4]
    for module in IMPORTS:
        importlib.import_module(module)
    start = time.perf_counter()
    result = STEPS[name](Path(clip), Path(output))
    print(json.dumps({"seconds": time.perf_counter() - start, **result}))


if __name__ == "__main__":
    main()
