"""Analyze a long video in chunks: configure the search once, then search each chunk in any process.

The checkpoint folder holds what all chunks need and what each has found. `redactkit.analyze` picks it up from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from redactkit.analysis.checkpoint import Checkpoint
from redactkit.analysis.chunk_search import scan_separate_chunk
from redactkit.analysis.rotation import RotationSamples, find_rotations
from redactkit.analysis.search import Search, load_searcher, plan_search
from redactkit.detectors import Detector, prepare
from redactkit.errors import VideoError
from redactkit.formats.video import read_video_header, write_video_header
from redactkit.media import FrameRange, VideoInfo
from redactkit.runtime.cores import opencv_in_one_thread
from redactkit.runtime.files import make_private, write_text
from redactkit.runtime.memory import limit_arenas
from redactkit.runtime.progress import ProgressLike, track
from redactkit.video import VideoReader

__all__ = ["analyze_chunk", "compiling", "prepare_analysis", "configure_search", "shared_detector"]

_HEADER_FILE, _ROTATIONS_FILE = "video.json", "rotations.json"


@lru_cache(maxsize=2)
def shared_detector(name: str, sensitivity: str, *, model: str | None = None, threads: int | None = None) -> Detector:
    """Return a detector for every video that this process analyzes with it, since loading one takes time."""
    return load_searcher(name, model=model, sensitivity=sensitivity, threads=threads)


def configure_search(
    reader: VideoReader,
    *,
    detector: str | Detector = "centerface",
    model: str | Path | None = None,
    size: int | None = None,
    sensitivity: str = "normal",
) -> Search:
    """Choose the search for a video, with the rotation of its footage; errors as of `redactkit.analyze`."""
    search = plan_search(reader.info, detector=detector, model=model, size=size, sensitivity=sensitivity)
    with compiling(search):
        samples = RotationSamples(reader.info, search.detector, search.letterboxes[0])
        return search.with_rotations(find_rotations(reader, samples))


@contextmanager
def compiling(search: Search) -> Iterator[None]:
    """Compile the network for the largest input in another thread meanwhile, as while sample frames are decoded."""
    letterbox = search.letterboxes[0]
    with ThreadPoolExecutor(1) as other:
        other.submit(prepare, search.detector, width=letterbox.width, height=letterbox.height)
        yield


def prepare_analysis(
    info: VideoInfo,
    chunk_folder: str | Path,
    *,
    detector: str | Detector = "centerface",
    detection_size: int | None = None,
    sensitivity: str = "normal",
) -> Path:
    """Write what every chunk needs to the folder ``chunk_folder``, and return it; options as of `redactkit.analyze`."""
    if info.path is None:
        raise VideoError("this header is of no video file")
    with VideoReader(info.path, info=info) as reader:
        search = configure_search(reader, detector=detector, size=detection_size, sensitivity=sensitivity)
    folder = make_private(chunk_folder)
    write_video_header(info, folder / _HEADER_FILE)
    write_text(folder / _ROTATIONS_FILE, json.dumps(search.rotations), overwrite=True)
    return folder


@opencv_in_one_thread()
def analyze_chunk(
    video: str | Path,
    chunk_folder: str | Path,
    chunk: FrameRange,
    *,
    detector: str | Detector = "centerface",
    detection_size: int | None = None,
    sensitivity: str = "normal",
    progress: ProgressLike = False,
) -> None:
    """Search the frames of one chunk and keep the result, unless it is there already.

    Raises
    ------
    VideoError
        If the chunk does not decode by itself.
    AnnotationError
        If `prepare_analysis` has not written to ``chunk_folder``.
    """
    limit_arenas()
    folder = Path(chunk_folder)
    info = read_video_header(folder / _HEADER_FILE, video=video)
    search = plan_search(info, detector=detector, size=detection_size, sensitivity=sensitivity)
    search = search.with_rotations(json.loads((folder / _ROTATIONS_FILE).read_text(encoding="utf-8")))
    checkpoint = Checkpoint.of(folder, info, search.settings)
    if checkpoint.load(chunk) is not None:
        return
    with VideoReader(video, info=info) as reader, track(progress, "analyze", total=chunk.length) as update:
        result = scan_separate_chunk(reader, search, chunk, update)
    if result is None:
        raise VideoError(f"{video}: frames {chunk.start} to {chunk.stop} do not decode by themselves")
    checkpoint.save(result)
