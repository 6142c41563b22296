"""Choose codec, pixel format, colour tags and encoder options for a video, and name what changes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from av.video.format import VideoFormat

from redactkit.errors import OptionError, VideoError
from redactkit.media import ColorTags, VideoInfo
from redactkit.video.frames import is_high_definition
from redactkit.video.stream_traits import Traits

__all__ = ["CODECS", "PRESETS", "Encoding", "choose_encoding"]

CODECS = {"h264": "libx264", "hevc": "libx265"}
PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)
_DEFAULT_CRF = {"h264": 17.0, "hevc": 20.0}
_DEFAULT_PRESET = {"h264": "superfast", "hevc": "superfast"}
# x264's "superfast" has no lookahead and then takes two to three times the bytes. Measured at 1080p: with 5 frames of
# lookahead and no B-pyramid an encoder holds 93 MB, with 10 and a B-pyramid 148 MB; files are 4 % larger at the same
# SSIM. With 3 frames it holds 80 MB; files are up to 8 % larger again at the same quality, and 7 to 12 % smaller at the
# same crf. So large frames have 3 and small ones 5. More lookahead makes smaller files and takes more memory and time.
_LOOKAHEAD_PARAMS = "mbtree=1:rc-lookahead={}:b-pyramid=none"
_LOOKAHEAD_FRAMES, _LARGE_LOOKAHEAD_FRAMES = 5, 3
_LARGE_FRAME_PIXELS = 1280 * 720
_PARAM_OPTIONS = {"h264": "x264-params", "hevc": "x265-params"}
_ASM_PARAM = "asm=avx2"
_AVX_512F = 13  # cv2.CPU_AVX_512F, which the Python module does not name
_MIN_HEVC_SIDE_PIXELS = 16
# The bytes that x264 and x265 write depend on their number of threads, so it is the same on every machine. One x264
# encoder keeps one and a half cores busy with any number of threads; two with one thread each keep two busy.
_ENCODER_THREADS = {"h264": 1, "hevc": 4}
_X265_FRAME_THREADS = 2
_NO_TRAITS = Traits()


@dataclass(frozen=True)
class Encoding:
    """How frames are encoded; ``notes`` names everything that is not kept as the source has it.

    ``fields`` is the field order that frames are marked with (`redactkit.video.fields.FieldMark`), empty for no mark.
    """

    codec: str
    pixel_format: str
    color: ColorTags
    options: dict[str, str]
    tag: str
    fields: str = ""
    notes: tuple[str, ...] = ()

    @property
    def encoder(self) -> str:
        """Name of the encoder in FFmpeg."""
        return CODECS[self.codec]

    @property
    def interlaced(self) -> bool:
        """Whether frames are encoded as two fields."""
        return self.fields in ("tff", "bff")

    def numbered(self, number: int) -> Encoding:
        """Return the same encoding with another ID for its H.264 parameter sets."""
        params = ":".join(part for part in (self.options.get("x264-params", ""), f"sps-id={number}") if part)
        return replace(self, options={**self.options, "x264-params": params})


def choose_encoding(
    info: VideoInfo,
    *,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    traits: Traits = _NO_TRAITS,
) -> Encoding:
    """Choose the encoding that keeps most of the source and still plays in browsers.

    8-bit sources become H.264 with their own chroma subsampling, deeper ones HEVC Main 10. These codecs cannot
    subsample an odd side. Such frames are stored as 4:4:4, or 4:2:2 if only the height is odd, so that size and
    luma stay exact.

    Parameters
    ----------
    info : VideoInfo
    codec : {"h264", "hevc"}, optional
    crf : float, optional
        Constant rate factor, 0 to 51, by default 17 for h264 and 20 for hevc. Higher makes smaller files of
        lower quality.
    preset : str, optional
        Speed preset of x264 and x265, from ``"ultrafast"`` to ``"placebo"``, by default ``"superfast"`` with a
        short lookahead. Slower ones make smaller files at the same quality.
    traits : Traits, optional
        Of the source: its fields and light levels.

    Raises
    ------
    OptionError
        If an option has no such value.
    VideoError
        If the pixel format is none that can be converted.
    """
    source = _format(info)
    depth = max(component.bits for component in source.components)
    name = _codec_for(info, codec, deep=depth > 8)
    chroma, notes = _chroma(info, source, deep=depth > 8 and name == "hevc")
    pixel_format = _pixel_format(source, chroma, deep=depth > 8)
    if depth > 10:
        notes.append(f"{depth} bits per sample stored as 10")
    if codec is None and depth > 8 and name == "h264":
        notes.append("frames too small for HEVC stored as h264 High 10")
    interlaced = traits.fields is not None and name == "h264" and info.coded_height % 4 == 0
    if traits.fields and not interlaced:
        notes.append("interlaced frames stored as progressive ones, fields woven")
    return Encoding(
        codec=name,
        pixel_format=pixel_format,
        color=_rgb_tags(info) if source.is_rgb else info.color,
        options=_options(info, name, traits if interlaced or name == "hevc" else _NO_TRAITS, crf=crf, preset=preset),
        tag="hvc1" if name == "hevc" else "avc1",
        fields=(traits.fields if interlaced else "prog") if traits.fields else "",
        notes=tuple(notes),
    )


def _format(info: VideoInfo) -> VideoFormat:
    try:
        return VideoFormat(info.pixel_format)
    except ValueError as err:
        raise VideoError(f"{info.path}: pixel format {info.pixel_format!r} cannot be converted") from err


def _codec_for(info: VideoInfo, codec: str | None, *, deep: bool) -> str:
    if codec is not None:
        name = {"h265": "hevc"}.get(codec.lower(), codec.lower())
        if name not in CODECS:
            raise OptionError(f"codec must be one of {', '.join(CODECS)}, got {codec!r}")
        return name
    small = min(info.width, info.height) < _MIN_HEVC_SIDE_PIXELS
    return "hevc" if deep and not small else "h264"


def _chroma(info: VideoInfo, source: VideoFormat, *, deep: bool) -> tuple[str, list[str]]:
    """Return the chroma layout to store and a note for each thing that changes."""
    notes = ["transparency dropped"] if _has_alpha(source) else []
    if source.is_rgb:
        have = "420"
        notes.append(f"{source.name} converted to YUV 4:2:0")
    elif len(source.components) < 3:
        have = "420"
    else:
        have = _LAYOUTS.get((source.chroma_width(64), source.chroma_height(64)), "444")
    keep = "420" if deep else have
    fit = _fitting(keep, info.coded_width, info.coded_height)
    if fit != keep:
        notes.append(f"{info.width}x{info.height} has an odd side: chroma stored as {_colons(fit)}")
    elif keep != have:
        notes.append(f"chroma {_colons(have)} stored as {_colons(keep)}, which HEVC Main 10 has")
    return fit, notes


# (width, height) of the chroma of a 64x64 picture. 4:1:1 goes into 4:2:2 and 4:4:0 into 4:4:4: nothing is lost.
_LAYOUTS = {(32, 32): "420", (32, 64): "422", (64, 64): "444", (16, 64): "422", (16, 16): "420", (64, 32): "444"}


def _colons(layout: str) -> str:
    return ":".join(layout)


def _fitting(chroma: str, width: int, height: int) -> str:
    if chroma != "444" and width % 2:
        return "444"
    return "422" if chroma == "420" and height % 2 else chroma


def _pixel_format(source: VideoFormat, chroma: str, *, deep: bool) -> str:
    if source.name == f"yuvj{chroma}p":
        return source.name
    return f"yuv{chroma}p10le" if deep else f"yuv{chroma}p"


def _has_alpha(source: VideoFormat) -> bool:
    return any(component.is_alpha for component in source.components)


def _rgb_tags(info: VideoInfo) -> ColorTags:
    """Tags of converted RGB: sRGB transfer, limited range, and the YUV matrix that browsers expect for the size."""
    return ColorTags(range=1, space=1 if is_high_definition(info.width, info.height) else 6, primaries=1, transfer=13)


def _options(info: VideoInfo, codec: str, traits: Traits, *, crf: float | None, preset: str | None) -> dict[str, str]:
    chosen = _DEFAULT_CRF[codec] if crf is None else crf
    if not 0 <= chosen <= 51:
        raise OptionError(f"crf must be 0 to 51, got {crf}")
    speed = _DEFAULT_PRESET[codec] if preset is None else preset
    if speed not in PRESETS:
        raise OptionError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    options = {"crf": f"{chosen:g}", "preset": speed, "a53cc": "0", "threads": str(_ENCODER_THREADS[codec])}
    extra = _x265(traits) if codec == "hevc" else _x264(info, traits, preset)
    return options | ({_PARAM_OPTIONS[codec]: extra} if extra else {})


def _x264(info: VideoInfo, traits: Traits, preset: str | None) -> str:
    fields = [f"{traits.fields}=1"] * bool(traits.fields)
    lookahead = _LARGE_LOOKAHEAD_FRAMES if info.width * info.height > _LARGE_FRAME_PIXELS else _LOOKAHEAD_FRAMES
    return ":".join([*fields, *[_LOOKAHEAD_PARAMS.format(lookahead)] * (preset is None), *[_ASM_PARAM] * _has_avx512()])


def _has_avx512() -> bool:
    """Return whether x264 would use AVX-512, with which the same frames do not always give the same bytes.

    Measured with x264 build 165: 14 of 60 runs differed, with AVX2 0 of 300. AVX2 costs 5 % of the time.
    """
    import cv2

    return bool(cv2.checkHardwareSupport(_AVX_512F))


def _x265(traits: Traits) -> str:
    light = [f"master-display={traits.mastering}"] * bool(traits.mastering) + [f"max-cll={traits.light}"] * bool(
        traits.light
    )
    return ":".join(["log-level=none", f"frame-threads={_X265_FRAME_THREADS}", *light])
