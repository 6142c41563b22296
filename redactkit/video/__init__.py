"""Probe, read, write and compare video files. The only package that uses PyAV (FFmpeg)."""

from redactkit.runtime.partial_files import sweep_partial_files
from redactkit.video.fidelity import check_container, compare_files
from redactkit.video.frames import Frame
from redactkit.video.options import WriterOptions
from redactkit.video.pictures import Pictures, as_jpeg
from redactkit.video.planes import pixel_layout, plane_views
from redactkit.video.probe import probe
from redactkit.video.reader import KeptFrame, VideoReader
from redactkit.video.writer import VideoWriter

__all__ = [
    "Frame",
    "KeptFrame",
    "Pictures",
    "VideoReader",
    "VideoWriter",
    "WriterOptions",
    "as_jpeg",
    "check_container",
    "compare_files",
    "pixel_layout",
    "plane_views",
    "probe",
    "sweep_partial_files",
]


def __dir__() -> list[str]:
    return sorted(__all__)
