"""The panel that runs the first pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets

from redactkit.analysis import analyze, default_folder
from redactkit.annotations import annotations_name
from redactkit.boxes import FloatArray
from redactkit.errors import AnnotationError, OptionError, RedactkitError
from redactkit.formats import Preset, read_preset
from redactkit.passes import run_preset
from redactkit.review import Review
from redactkit.runtime.progress import ProgressLike
from redactkit.widgets.found import FoundSoFar
from redactkit.widgets.markup import escape
from redactkit.widgets.progress import PassBar
from redactkit.widgets.runner import BackgroundPass, Runner
from redactkit.widgets.view import View, button, row
from redactkit.widgets.viewer import FrameViewer

__all__ = ["AnalyzePanel", "allowing_nothing"]

PRESET = '{"version": "1.0", "options": {"mode": "analyze"}}'


def allowing_nothing() -> ipywidgets.Checkbox:
    """Return the box to tick for an output that hides nothing, which is refused otherwise."""
    box = ipywidgets.Checkbox(
        description="write it also where nothing is hidden", indent=False, layout={"width": "auto"}
    )
    box.add_class("rk-allow-nothing")
    return box


class AnalyzePanel(View):
    """The first pass, as the original system's job configuration; errors in it are told while it is typed.

    Parameters
    ----------
    review : Review
        Gets the annotations when the pass over its own video is done.
    runner : Runner, optional
        Shared with other panels, so that passes wait for each other.
    viewer : FrameViewer, optional
        Shows the boxes as they are found, and goes along with the search until somebody goes elsewhere.

    Examples
    --------
    >>> AnalyzePanel(review)  # doctest: +SKIP
    """

    def __init__(self, review: Review, *, runner: Runner | None = None, viewer: FrameViewer | None = None) -> None:
        super().__init__(review, css="rk-analyze")
        self.runner = runner or Runner()
        self._viewer, self._went_to = viewer, -1
        self._asked: Path | None = None
        self.found = FoundSoFar(review)
        self._along = self.worker(self._go_along, interval=0.5)
        self._build()
        self.watch(lambda _: self.bar.refresh(), "revision", source=self.runner)

    def _build(self) -> None:
        own = self.review.video.path
        self.video = ipywidgets.Text(str(own or ""), placeholder="the video", layout={"width": "100%"})
        self.video.add_class("rk-video")
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
            options=[("usual faces", "normal"), ("more, and more that are none", "high"), ("only clear ones", "low")],
            description="Find",
            layout={"width": "auto"},
        )
        self.detector.style.description_width, self.sensitivity.style.description_width = "64px", "36px"
        self.output = ipywidgets.Text(
            str(self.review.writable(default_folder(own))) if own else "",
            placeholder="folder; default foo_analysis",
            layout={"width": "330px"},
        )
        self.output.add_class("rk-output")
        self.overwrite = ipywidgets.Checkbox(
            description="replace what is there", indent=False, layout={"width": "160px"}
        )
        self.overwrite.add_class("rk-overwrite")
        self.allow_nothing = allowing_nothing()
        self.run_button = button("", "find every face", text="Find faces", css="rk-run")
        self.run_button.button_style = "primary"
        self.run_button.on_click(self.press(self.ask_and_run))
        self.bar = PassBar(self.runner)
        self.hint = _hint("Finds every face and follows it through the video. Nothing leaves this machine.")
        self.found.layout.display = "none"
        advanced = ipywidgets.VBox(
            [
                _hint("The video; for many there is rk.widgets.JobsPanel."),
                self.video,
                _hint("Job configuration (mode analyze, combined or redact):"),
                self.preset,
                self.fault,
                row(self.detector, self.model),
                row(self.output, self.overwrite),
                self.allow_nothing,
            ]
        )
        self.show(
            self.hint,
            row(self.run_button, self.sensitivity, css="rk-find"),
            self.bar,
            self.found,
            ipywidgets.Accordion([advanced], titles=["Advanced"]),
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

    def ask_and_run(self) -> BackgroundPass | None:
        """Start the pass; say first, and wait for a second press, where it would replace what was found before.

        Where the review has edits, these are about what was found before, which is kept: the new search goes into a
        folder of its own.
        """
        video = Path(self.video.value.strip())
        folder = self._folder(video)
        searches = self.read().mode == "analyze"
        if not searches or self.overwrite.value or not _holds(folder, video):
            return self.run()
        if self.review.history:
            number = 2
            while _holds(beside := folder.with_name(f"{folder.name}_{number}"), video):
                number += 1
            return self.run(folder=beside)
        if self._asked != folder:
            self._asked = folder
            self.say(
                f"{video.name} was searched before, and {folder.name} has what was found and decided then. Press "
                "again to search anew, and to replace it."
            )
            return None
        self._asked = None
        return self.run(replace=True)

    def _folder(self, video: Path) -> Path:
        given = self.output.value.strip()
        return Path(given) if given else default_folder(video)

    def run(self, *, replace: bool = False, folder: Path | None = None) -> BackgroundPass:
        """Start the pass over the video, after those that wait already, and return its job.

        Parameters
        ----------
        replace : bool
            Replace what is in the folder.
        folder : path, optional
            Where to write; the one named where left out.
        """
        preset, named = self.read(), self.video.value.strip()
        if not named:
            raise OptionError("name a video first, under Advanced")
        self.found.clear()
        video = Path(named)
        job = self._submit(video, preset, folder or self._folder(video), overwrite=replace or self.overwrite.value)
        self.bar.follow(job)
        return job

    def _submit(self, video: Path, preset: Preset, folder: Path, *, overwrite: bool) -> BackgroundPass:
        search: dict[str, Any] = {"detector": self.detector.value, "sensitivity": self.sensitivity.value}
        search["model"] = self.model.value.strip() or None
        allow_nothing = self.allow_nothing.value

        own = self.review.video.path is not None and video == self.review.video.path

        def work(progress: ProgressLike) -> Any:
            shared: dict[str, Any] = {"overwrite": overwrite, "progress": progress}
            if preset.mode == "analyze":
                watch = self._watch() if own else None
                search["detection_size"] = preset.detection_size
                return analyze(video, output=folder, watch=watch, **search, **shared)
            return run_preset(video, preset, output=folder, allow_nothing=allow_nothing, **search, **shared)

        finished = self.guard(lambda job: self._finished(job, video, folder, preset))
        return self.runner.submit(f"{preset.mode} {video.name}", work, finished=finished)

    def _watch(self) -> Callable[[Mapping[int, FloatArray]], None]:
        """Let what is found be seen from now on; return what takes it."""
        self.found.layout.display = ""
        if self._viewer is not None and not self.review.history:
            self._viewer.found, self._went_to = self.found, self.review.current_frame

        def watch(found: Mapping[int, FloatArray]) -> None:
            self.found.add(found)
            self._along.submit()

        return watch

    def _go_along(self) -> None:
        """Show the frame that the search has come to."""
        viewer = self._viewer
        if viewer is None or viewer.found is None:
            return
        if self.review.current_frame == self._went_to:
            self._went_to = self.found.frame
            self.review.current_frame = self.found.frame
        viewer.stage.show_boxes()

    def go_on(self) -> None:
        """Go on to what comes after the pass; a workbench says where that is."""

    def _finished(self, job: BackgroundPass, video: Path, folder: Path, preset: Preset) -> None:
        self.bar.refresh()
        self.found.layout.display = "none"
        if self._viewer is not None and self._viewer.found is not None:
            self._viewer.found = None
            self.review.current_frame = 0
            self._viewer.stage.show_boxes()
        own = self.review.video.path
        if job.state != "done" or preset.mode != "analyze" or own is None or not video.samefile(own):
            return
        if self.review.history:
            self.say(
                f"{video.name} was analyzed again; your edits are kept. To start from the new table, open {folder}"
            )
            return
        self.review.load(job.result)
        people = len(self.review.people)
        self.say(f"{people} people found; decide in step 2, Who, who is hidden. Written to {folder}")
        self.go_on()


def _holds(folder: Path, video: Path) -> bool:
    """Tell whether a folder has the outcome of a search of a video."""
    return (folder / annotations_name(video.stem)).exists()


def _hint(text: str) -> ipywidgets.HTML:
    made = ipywidgets.HTML(escape(text))
    made.add_class("rk-hint")
    return made
