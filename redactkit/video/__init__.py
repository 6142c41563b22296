"""Video files at the edge: probe, read, write, compare. The only package that knows PyAV."""

from redactkit.files import sweep_parts
from redactkit.video.frames import Frame
from redactkit.video.planes import pixel_layout, plane_views
from redactkit.video.probe import probe
from redactkit.video.reader import VideoReader

__all__ = ["Frame", "VideoReader", "pixel_layout", "plane_views", "probe", "sweep_parts"]
