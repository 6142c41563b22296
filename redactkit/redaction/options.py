"""How a redaction hides and writes, as one value: for the pass, jobs, the command line, panels and the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from numbers import Real
from typing import Any, Literal

from redactkit import effects
from redactkit.effects.look import as_look
from redactkit.errors import OptionError
from redactkit.runtime.timecode import check_ranges, timecode
from redactkit.tracking.regions import as_regions
from redactkit.video.options import WriterOptions

__all__ = ["RedactionOptions"]

Ranges = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class RedactionOptions:
    """How the chosen faces are hidden and the output is written.

    Parameters
    ----------
    blur : str
        A name in `redactkit.effects.BLUR_KINDS`, in any case.
    margin : float
        Share of the box added on each side, 0 to 2. More hides more of hair, ears and chin.
    strength : float
        1 to 10: above 1 hides more than was measured to hide; less cannot be asked for.
    codec, crf, preset : optional
        Of the encoder; by default H.264 for 8-bit sources, HEVC Main 10 for deeper ones. A higher ``crf`` makes a
        smaller file and a coarser picture.
    audio : {"keep", "drop"}
    mute : iterable of (float, float)
        Start and end, in seconds as in the column ``time``, of what is made silent in every audio track.
        The sound is then encoded anew, as AAC; silence reaches some hundredths of a second beyond each range.
    smart_copy : bool
        Copy groups of pictures in which nothing is hidden, and of others what comes before it, bit for bit,
        where an h264 source leaves no doubt that this is right; the rest is encoded. The report says which
        frames were copied.
    shape : {"rectangle", "ellipse"}
        What is painted. An ellipse holds the whole rectangle that would be painted, its corners too.
    head : bool
        Grow the boxes of faces to hair, ears and chin, see `redactkit.redaction.heads`.
    start, end : float, optional
        Hide only from one second to another; short for one of ``ranges``.
    ranges : iterable of (float, float)
        Hide only in these time ranges, in seconds as in the column ``time``; everything else stays bare, as in the
        source. By default the whole video.
    trim : bool
        Trim the output to the one time range: its first frame is at 0, its sound in step.
    regions : iterable of FixedRegion or mapping
        Rectangles of the frame that are always hidden, or where nothing is hidden, see
        `redactkit.tracking.regions.FixedRegion`.
    labels : str or iterable of str, optional
        Hide only boxes with one of these labels, see `redactkit.formats.choose_labels`; by default all.
    force : bool
        Take annotations of another video all the same.
    allow_nothing : bool
        Write an output also where it would hide nothing: the annotations have no face, every face is left
        visible, or no box lies inside the frame. Otherwise each of these is an error.

    Raises
    ------
    OptionError
        For an unknown blur kind or option, or sound that is neither kept nor dropped.

    Examples
    --------
    >>> RedactionOptions(blur="high").blur
    'High'
    >>> RedactionOptions.of({"margin": 0.3, "faces": [1, 2]}).margin
    0.3
    """

    blur: str = "Med"
    margin: float = 0.15
    strength: float = 1.0
    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    audio: Literal["keep", "drop"] = "keep"
    mute: Iterable[Iterable[float]] = ()
    smart_copy: bool = True
    shape: str = "rectangle"
    head: bool = False
    start: float | None = None
    end: float | None = None
    ranges: Any = ()
    trim: bool = False
    regions: Iterable[Any] = ()
    labels: str | Iterable[str] | None = None
    force: bool = False
    allow_nothing: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "blur", effects.get_kind(self.blur).name)
        object.__setattr__(self, "shape", effects.Look(shape=self.shape).shape)
        object.__setattr__(self, "regions", as_regions(self.regions))
        self._check_values()
        self._join_ranges()
        if self.labels is not None:
            labels = (self.labels,) if isinstance(self.labels, str) else tuple(self.labels)
            object.__setattr__(self, "labels", labels)
        WriterOptions(audio=self.audio)  # refuses sound that is neither kept nor dropped

    def _check_values(self) -> None:
        """Refuse what is no number, switch or list of pairs, before anything is begun."""
        as_look({"strength": self.strength, "head": self.head})
        for name in ("margin", "crf"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Real):
                raise OptionError(f"{name} must be a number, got {value!r:.40}")
        try:
            object.__setattr__(self, "mute", self.muted)
        except (TypeError, ValueError):
            raise OptionError(f"mute is pairs of seconds such as [(5, 7.5)], got {self.mute!r:.60}") from None

    def _join_ranges(self) -> None:
        """Make ``start`` and ``end`` one of the ranges; None stands for the video's end, until that is known."""
        if isinstance(self.ranges, str):
            raise OptionError(f"ranges are pairs of seconds such as [(5, 7.5)], got the text {self.ranges[:40]!r}")
        try:
            ranges = [tuple(span) for span in self.ranges]
        except TypeError:
            raise OptionError(f"ranges are pairs of seconds such as [(5, 7.5)], got {self.ranges!r:.60}") from None
        if self.start is not None or self.end is not None:
            ranges.append((self.start or 0.0, self.end))
        if self.trim and len(ranges) != 1:
            raise OptionError(f"trim cuts down to one time range, got {len(ranges)}; name one with start and end")
        wrong = next((span for span in ranges if len(span) != 2), None)
        if wrong is not None:
            raise OptionError(f"a time range is a pair of seconds such as (5, 7.5), got {wrong!r:.60}")
        for name, value in (("ranges", tuple(ranges)), ("start", None), ("end", None)):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> RedactionOptions:
        """Return the options among the settings of a report; those that are missing have their defaults."""
        return cls(**{name: settings[name] for name in cls.names() if name in settings})

    @classmethod
    def named(cls, options: Mapping[str, Any]) -> RedactionOptions:
        """Return options given by name, as keywords are; one that does not exist is an error."""
        unknown = sorted(set(options) - set(cls.names()))
        if unknown:
            raise OptionError(f"no option is called {unknown[0]!r}; there are {', '.join(cls.names())}")
        return cls(**options)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all options."""
        return tuple(each.name for each in fields(cls))

    @property
    def writer(self) -> WriterOptions:
        """What the writer is told: encoder and sound."""
        return WriterOptions(self.codec, self.crf, self.preset, self.audio, self.muted)

    @property
    def effect(self) -> dict[str, Any]:
        """What the painter is told: kind and strength."""
        return {"kind": self.blur, "strength": self.strength}

    @property
    def cosmetic(self) -> bool:
        """Whether the blur kind does not hide who somebody is."""
        return effects.get_kind(self.blur).cosmetic

    @property
    def muted(self) -> Ranges:
        """The time ranges without sound, in seconds."""
        return tuple((float(start), float(stop)) for start, stop in self.mute)

    def checked(self, first: float, last: float) -> RedactionOptions:
        """Return the options with their time ranges held against where the video starts and ends, in seconds.

        Raises
        ------
        OptionError
            If one is no range, or lies outside the video.
        """
        given = [(start, last if stop is None else stop) for start, stop in self.ranges]
        mute, ranges = (check_ranges(spans, start=first, end=last) for spans in (self.muted, given))
        return replace(self, mute=mute, ranges=ranges)

    @property
    def ranges_text(self) -> str:
        """The time ranges in words; "" where the whole video is redacted."""
        return ", ".join(f"{timecode(start)} to {timecode(stop)}" for start, stop in self.ranges)

    @property
    def look(self) -> effects.Look:
        """How boxes are painted that have no look of their own."""
        return effects.Look(self.blur, self.strength, self.shape)

    def as_settings(self) -> dict[str, Any]:
        """Return the options as plain values for a JSON file."""
        return asdict(self) | {
            "mute": [list(span) for span in self.mute],
            "ranges": [list(span) for span in self.ranges],
            "regions": [region.as_dict() for region in self.regions],
            "labels": None if self.labels is None else list(self.labels),
        }
