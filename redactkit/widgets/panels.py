"""The panels that run the passes: analyze and redact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from redactkit.analysis import analyze, default_folder
from redactkit.effects import KINDS
from redactkit.errors import AnnotationError, OptionError, RedactkitError
from redactkit.formats import Preset, read_preset
from redactkit.passes import redact, run_preset
from redactkit.redaction import RedactionReport, default_output
from redactkit.review import Review
from redactkit.runtime.progress import ProgressLike
from redactkit.runtime.timecode import parse_ranges
from redactkit.verification import verify
from redactkit.widgets.findings import FindingsView
from redactkit.widgets.geometry import Region, region_around
from redactkit.widgets.markup import escape
from redactkit.widgets.pictures import jpeg, redacted
from redactkit.widgets.playback import as_video
from redactkit.widgets.progress import JobsTable, PassBar
from redactkit.widgets.runner import Job, Runner
from redactkit.widgets.view import View, button, row

__all__ = ["AnalyzePanel", "RedactPanel"]

PRESET = '{"version": "1.0", "options": {"mode": "analyze"}}'


def allowing_nothing() -> ipywidgets.Checkbox:
    """Return the box to tick for an output that hides nothing, which is refused otherwise."""
    box = ipywidgets.Checkbox(
        description="allow nothing: write it also where nothing would be hidden",
        indent=False,
        layout={"width": "400px"},
    )
    box.add_class("rk-allow-nothing")
    return box


class RedactPanel(View):
    """The second pass: how faces are hidden, with a picture of each kind; run, progress, report, check, player.

    Parameters
    ----------
    review : Review
    runner : Runner, optional
        Shared with other panels, so that passes wait for each other.
    examples : bool
        Show at once what each kind makes of the current face.
    """

    def __init__(self, review: Review, *, runner: Runner | None = None, examples: bool = True) -> None:
        super().__init__(review, css="rk-redact")
        self.runner = runner or Runner()
        self._build()
        pictures = self.worker(self._show_kinds, interval=0.5)
        self.show_kinds = pictures.submit
        self.watch(lambda _: self._mark_kind(), "blur")
        self.watch(lambda _: self.bar.refresh(), "revision", source=self.runner)
        self._mark_kind()
        if examples and review.reader is not None:
            self.show_kinds()

    def _build(self) -> None:
        self.kinds = {name: self._kind(name) for name in KINDS}
        self.margin = ipywidgets.FloatSlider(
            0.15, min=0, max=1, step=0.05, description="margin", readout_format=".0%", layout={"width": "270px"}
        )
        self.margin.style.description_width = "50px"
        self.margin.add_class("rk-margin")
        traitlets.link((self.review, "margin"), (self.margin, "value"))
        self.audio = ipywidgets.Dropdown(options=["keep", "drop"], description="audio", layout={"width": "130px"})
        self.audio.style.description_width = "40px"
        self.mute = ipywidgets.Text(placeholder="silent ranges, such as 0:05-0:07.5; 12-13", layout={"width": "270px"})
        self.mute.add_class("rk-mute")
        self.output = ipywidgets.Text(self._default_output(), placeholder="foo_redacted.mp4", layout={"width": "330px"})
        self.output.add_class("rk-output")
        self.overwrite = ipywidgets.Checkbox(
            description="replace it if it is there", indent=False, layout={"width": "170px"}
        )
        self.overwrite.add_class("rk-overwrite")
        self.check = ipywidgets.Checkbox(
            True, description="look for leaks after", indent=False, layout={"width": "160px"}
        )
        self.check.add_class("rk-check")
        self.allow_nothing = allowing_nothing()
        self.run_button = button("play", "write the redacted video", text="Redact", css="rk-run")
        self.run_button.button_style = "primary"
        self.run_button.on_click(self.press(self.run))
        self.try_button = button("eye", "show each kind on the current frame", text="Try on this frame", css="rk-try")
        self.try_button.on_click(self.press(self._try))
        self.bar = PassBar(self.runner)
        self.report = ipywidgets.HTML()
        self.report.add_class("rk-report")
        self.player = ipywidgets.VBox()
        self.findings = ipywidgets.VBox()
        self.show(
            row(*(box for box, _, _ in self.kinds.values())),
            row(self.margin, self.audio, self.try_button),
            row(self.mute),
            row(self.output, self.overwrite),
            row(self.run_button, self.check, self.allow_nothing),
            self.bar,
            self.player,
            self.findings,
            self.report,
        )

    def _kind(self, name: str) -> tuple[Any, Any, Any]:
        image = ipywidgets.Image(format="jpeg", value=b"", layout={"display": "none"})
        chosen = button("", KINDS[name].summary, text=name, css=f"rk-kind-{name}")
        chosen.layout.width = "66px"
        chosen.on_click(lambda _: setattr(self.review, "blur", name))
        box = ipywidgets.VBox([image, chosen])
        box.add_class("rk-kind")
        return box, image, chosen

    def _default_output(self) -> str:
        path = self.review.video.path
        return "" if path is None else str((self.review.folder or path.parent) / default_output(path).name)

    def _mark_kind(self) -> None:
        for name, (_, _, chosen) in self.kinds.items():
            chosen.button_style = "primary" if name == self.review.blur else ""

    def _try(self) -> None:
        if self.review.reader is None:
            raise OptionError("there is no video to try it on: open the review with Review.open(video, annotations)")
        self.show_kinds()

    def _show_kinds(self) -> None:
        """Show what each kind makes of the current face."""
        region, frame = self._example(), self.review.current_frame
        for name, (_, image, _) in self.kinds.items():
            image.value = jpeg(redacted(self.review, frame, region, width=96, kind=name))
            image.layout.display = ""

    def _example(self) -> Region:
        video, box = self.review.video, self.review.box_of()
        if box is None:
            rows = self.review.boxes_at()
            box = self.review.box_of(int(rows["face_id"].iloc[0])) if len(rows) else None
        if box is None:
            return Region(0, 0, video.width, video.height)
        around = region_around((box[0], box[1], box[2], box[3]), width=video.width, height=video.height, times=1.8)
        side = min(around.width, around.height)
        return Region(around.x + (around.width - side) / 2, around.y + (around.height - side) / 2, side, side)

    def run(self) -> Job:
        """Queue the pass with the settings shown and the decisions as they are now; return its job."""
        review, output = self.review, self.output.value.strip()
        if review.video.path is None or not output:
            raise OptionError("name the output, and open the review on a video, before redacting")
        source, target = review.video.path, Path(output)
        annotations, check = review.annotations, self.check.value
        settings: dict[str, Any] = {
            "blur": review.blur,
            "margin": review.margin,
            "audio": self.audio.value,
            "mute": parse_ranges(self.mute.value),
            "overwrite": self.overwrite.value,
            "allow_nothing": self.allow_nothing.value,
        }

        def work(progress: ProgressLike) -> tuple[RedactionReport, Any]:
            report = redact(source, annotations, output=target, progress=progress, **settings)
            return report, verify(source, report.output, annotations, progress=progress) if check else None

        self.report.value, self.player.children = "", ()
        self._drop_findings()
        job = self.runner.submit(f"redact {source.name}", work, finished=self.guard(self._finished))
        self.bar.follow(job)
        return job

    def _finished(self, job: Job) -> None:
        self.bar.refresh()
        if job.state != "done" or self._closed:
            return
        report, found = job.result
        tables = [report._repr_html_(), found._repr_html_() if found is not None else ""]
        self.report.value = "".join(tables)
        if found is not None and not found.ok:
            job.warning = found.verdict  # a pass that is done is not a video that may be given away
            self.bar.refresh()
            self.findings.children = (FindingsView(self.review, found),)
        self.player.children = (as_video(report.output),)

    def _drop_findings(self) -> None:
        for view in self.findings.children:
            view.close()
        self.findings.children = ()


class AnalyzePanel(View):
    """The first pass, as the original system's job configuration; errors in it are told while it is typed.

    Parameters
    ----------
    review : Review
        Gets the annotations when the pass over its own video is done.
    runner : Runner, optional
        Shared with other panels, so that passes wait for each other.
    """

    def __init__(self, review: Review, *, runner: Runner | None = None) -> None:
        super().__init__(review, css="rk-analyze")
        self.runner = runner or Runner()
        self._build()
        self.watch(lambda _: self.bar.refresh(), "revision", source=self.runner)

    def _build(self) -> None:
        own = self.review.video.path
        self.videos = ipywidgets.Textarea(
            str(own or ""), placeholder="one video a line", layout={"width": "100%", "height": "50px"}
        )
        self.videos.add_class("rk-videos")
        self.preset = ipywidgets.Textarea(PRESET, layout={"width": "100%", "height": "50px"})
        self.preset.add_class("rk-preset")
        self.preset.observe(lambda _: self._show_fault(), "value")
        self.fault = ipywidgets.HTML()
        self.fault.add_class("rk-fault")
        self.detector = ipywidgets.Dropdown(
            options=["centerface", "yunet"], description="detector", layout={"width": "180px"}
        )
        self.model = ipywidgets.Text(placeholder="model file, which yunet needs", layout={"width": "240px"})
        self.model.add_class("rk-model")
        self.sensitivity = ipywidgets.Dropdown(
            options=["normal", "high", "low"], description="sensitivity", layout={"width": "170px"}
        )
        for box in (self.detector, self.sensitivity):
            box.style.description_width = "64px"
        self.output = ipywidgets.Text(
            str(default_folder(own)) if own else "",
            placeholder="folder; default foo_analysis",
            layout={"width": "330px"},
        )
        self.output.add_class("rk-output")
        self.overwrite = ipywidgets.Checkbox(
            description="replace what is there", indent=False, layout={"width": "160px"}
        )
        self.overwrite.add_class("rk-overwrite")
        self.allow_nothing = allowing_nothing()
        self.run_button = button("search", "find every face", text="Run", css="rk-run")
        self.run_button.button_style = "primary"
        self.run_button.on_click(self.press(self.run))
        self.bar = PassBar(self.runner)
        self.jobs = JobsTable(self.review, self.runner)
        note = ipywidgets.HTML("Videos, one a line; they run one after another.")
        note.add_class("rk-hint")
        label = ipywidgets.HTML("Job configuration (mode analyze, combined or redact):")
        label.add_class("rk-hint")
        self.show(
            note,
            self.videos,
            label,
            self.preset,
            self.fault,
            row(self.detector, self.model, self.sensitivity),
            row(self.output, self.overwrite),
            row(self.run_button, self.allow_nothing, self.bar),
            self.jobs,
        )

    def read(self) -> Preset:
        """Return the configuration as it is typed.

        Raises
        ------
        AnnotationError
            If it means nothing.
        """
        try:
            given = json.loads(self.preset.value)
        except ValueError as err:
            raise AnnotationError(f"the configuration is not JSON: {err}") from err
        if not isinstance(given, dict):
            raise AnnotationError("the configuration must be an object, such as " + PRESET)
        return read_preset(given)

    def _show_fault(self) -> None:
        try:
            self.read()
        except RedactkitError as err:
            self.fault.value, self.run_button.disabled = f'<span class="rk-bad">{escape(err)}</span>', True
        else:
            self.fault.value, self.run_button.disabled = "", False

    def run(self) -> list[Job]:
        """Queue a job for each video; return them."""
        preset = self.read()
        videos = [Path(line.strip()) for line in self.videos.value.splitlines() if line.strip()]
        if not videos:
            raise OptionError("name a video first, one a line")
        jobs = [self._submit(video, preset, alone=len(videos) == 1) for video in videos]
        self.bar.follow(jobs[0])
        return jobs

    def _submit(self, video: Path, preset: Preset, *, alone: bool) -> Job:
        given = self.output.value.strip()
        folder = Path(given) if given and alone else default_folder(video)
        overwrite = self.overwrite.value
        search: dict[str, Any] = {"detector": self.detector.value, "sensitivity": self.sensitivity.value}
        search["model"] = self.model.value.strip() or None
        allow_nothing = self.allow_nothing.value

        def work(progress: ProgressLike) -> Any:
            shared: dict[str, Any] = {"overwrite": overwrite, "progress": progress}
            if preset.mode == "analyze":
                return analyze(video, output=folder, detection_size=preset.detection_size, **search, **shared)
            return run_preset(video, preset, output=folder, allow_nothing=allow_nothing, **search, **shared)

        finished = self.guard(lambda job: self._finished(job, video, folder, preset))
        return self.runner.submit(f"{preset.mode} {video.name}", work, finished=finished)

    def _finished(self, job: Job, video: Path, folder: Path, preset: Preset) -> None:
        self.bar.refresh()
        own = self.review.video.path
        if job.state != "done" or preset.mode != "analyze" or own is None or not video.samefile(own):
            return
        if self.review.history:
            self.say(
                f"{video.name} was analyzed again; your edits are kept. To start from the new table, open {folder}"
            )
            return
        self.review.load(job.result)
        self.say(f"{self.review.tracks.shape[0]} faces found; written to {folder}")
