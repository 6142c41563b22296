"""The panel that runs the second pass: how faces are hidden, where the video goes, and whether a face is left bare."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from redactkit.effects import KINDS
from redactkit.errors import OptionError
from redactkit.passes import redact
from redactkit.redaction import RedactionReport, default_output
from redactkit.review import Review
from redactkit.runtime.progress import ProgressLike
from redactkit.runtime.timecode import parse_ranges
from redactkit.verification import VerificationReport, verify
from redactkit.widgets.findings import FindingsView
from redactkit.widgets.geometry import Region, region_around
from redactkit.widgets.markup import escape
from redactkit.widgets.panels import allowing_nothing
from redactkit.widgets.pictures import redacted
from redactkit.widgets.playback import as_video
from redactkit.widgets.progress import PassBar
from redactkit.widgets.runner import Job, Runner
from redactkit.widgets.thumbnails import data_uri
from redactkit.widgets.view import View, button, row

__all__ = ["RedactPanel", "verdict_of"]

DRAFTS = {"Box": "outlines", "Low": "light"}
"""Kinds that hide nobody, and the word that their files carry, so that none is taken for a redacted video."""


def verdict_of(report: RedactionReport, check: VerificationReport | None) -> tuple[str, str]:
    """Return how an export ended, as a colour (good, doubtful or bad) and a sentence."""
    if report.settings.get("blur") in DRAFTS:
        return "doubtful", "Draft: it hides nobody. Export once more with a kind that hides, before you give it away."
    if report.nothing_hidden:
        return "doubtful", "Nothing is hidden: no face was chosen, or there was none."
    if not report.ok and check is None:
        return "bad", "Not as wanted: see the report under Advanced."
    if check is None:
        return "doubtful", "Exported, and not checked: nobody has looked for bare faces."
    found = len(check.findings)
    said = {
        "exposed": ("bad", f"Exposed: a face is bare. {found} findings to answer; do not give the video away."),
        "broken": ("bad", "Broken: times, size or sound differ from the source; see the report under Advanced."),
        "to be looked at": ("doubtful", f"To be looked at: {found} findings, of which most are no faces."),
        "unproven": ("doubtful", "Unproven: there was no face to check."),
        "clean": ("good", "Clean: every chosen face is hidden, and no other was found."),
    }
    return said.get(check.verdict, ("bad", str(check.verdict)))


class RedactPanel(View):
    """The second pass: how faces are hidden, with a picture of each kind; run, verdict, check, player, report.

    Parameters
    ----------
    review : Review
    runner : Runner, optional
        Shared with other panels, so that passes wait for each other.
    examples : bool
        Show at once what each kind makes of the current face.
    checked : callable, optional
        Takes the report of a leak check; left out, its findings are shown here.

    Attributes
    ----------
    state : tuple of str
        How the last export ended, in a few words, and as a colour.
    """

    state = traitlets.Tuple(("", ""))

    def __init__(
        self,
        review: Review,
        *,
        runner: Runner | None = None,
        examples: bool = True,
        checked: Callable[[VerificationReport | None], None] | None = None,
    ) -> None:
        super().__init__(review, css="rk-redact")
        self.runner, self._checked = runner or Runner(), checked
        self._own: set[Path] = set()
        self._asked: tuple[str, int] | None = None
        self._exposed_at: int | None = None
        self._build()
        pictures = self.worker(self._show_kinds, interval=0.5)
        self.show_kinds = pictures.submit
        self.watch(lambda _: self._mark_kind(), "blur")
        self.watch(lambda _: self.bar.refresh(), "revision", source=self.runner)
        self._mark_kind()
        if examples and review.reader is not None:
            self.show_kinds()

    def _build(self) -> None:
        self.verdict = ipywidgets.HTML()
        self.verdict.add_class("rk-verdict")
        self.kinds = {name: self._kind(name) for name in KINDS if name not in DRAFTS}
        self.draft = ipywidgets.Dropdown(
            options=[
                ("no draft: hide faces", ""),
                ("outlines only, hides nothing", "Box"),
                ("light blur, hides nobody", "Low"),
            ],
            description="draft",
            layout={"width": "270px"},
        )
        self.draft.add_class("rk-draft")
        self.draft.observe(self._on_draft, "value")
        self.margin = ipywidgets.BoundedFloatText(
            0.15, min=0, max=2, step=0.05, description="margin, share of the box", layout={"width": "230px"}
        )
        self.margin.style.description_width = "150px"
        self.margin.add_class("rk-margin")
        traitlets.link((self.review, "margin"), (self.margin, "value"))
        self.audio = ipywidgets.Dropdown(
            options=[("keep", "keep"), ("none", "drop")], description="sound", layout={"width": "130px"}
        )
        self.audio.style.description_width = "40px"
        self.mute = ipywidgets.Text(placeholder="silent ranges, such as 0:05-0:07.5; 12-13", layout={"width": "270px"})
        self.mute.add_class("rk-mute")
        self.output = ipywidgets.Text(self._default_output(), placeholder="foo_redacted.mp4", description="to")
        self.output.style.description_width = "20px"
        self.output.layout.width = "100%"
        self.output.add_class("rk-output")
        self.check = ipywidgets.Checkbox(
            True, description="then look for bare faces", indent=False, layout={"width": "180px"}
        )
        self.check.add_class("rk-check")
        self.allow_nothing = allowing_nothing()
        self.run_button = button("", "write the redacted video", text="Export", css="rk-run")
        self.run_button.button_style = "primary"
        self.run_button.on_click(self.press(self.ask_and_run))
        self.try_button = button("", "show each kind on the current frame", text="Try on this frame", css="rk-try")
        self.try_button.on_click(self.press(self._try))
        self.bar = PassBar(self.runner)
        self.report = ipywidgets.HTML()
        self.report.add_class("rk-report")
        self.player, self.findings = ipywidgets.VBox(), ipywidgets.VBox()
        advanced = ipywidgets.VBox([row(self.draft), row(self.mute), self.allow_nothing, self.report])
        self.advanced = ipywidgets.Accordion([advanced], titles=["Advanced"])
        self.show(
            self.verdict,
            row(*(box for box, _, _ in self.kinds.values()), self.try_button),
            row(self.margin, self.audio),
            self.output,
            row(self.run_button, self.check),
            self.bar,
            self.player,
            self.findings,
            self.advanced,
        )

    def _kind(self, name: str) -> tuple[Any, Any, Any]:
        image = ipywidgets.HTML(layout={"display": "none"})
        chosen = button("", KINDS[name].summary, text=name, css=f"rk-kind-{name}")
        chosen.layout.width = "66px"
        chosen.on_click(lambda _: setattr(self.review, "blur", name))
        box = ipywidgets.VBox([image, chosen])
        box.add_class("rk-kind")
        return box, image, chosen

    def _default_output(self) -> str:
        path = self.review.video.path
        if path is None:
            return ""
        target = (self.review.folder or path.parent) / default_output(path).name
        word = DRAFTS.get(self.review.blur)
        return str(target.with_name(f"{path.stem}_{word}.mp4") if word else target)

    def _on_draft(self, change: Any) -> None:
        if change["new"]:
            self.review.blur = change["new"]
        elif self.review.blur in DRAFTS:
            self.review.blur = "Med"

    def _mark_kind(self) -> None:
        for name, (_, _, chosen) in self.kinds.items():
            chosen.button_style = "primary" if name == self.review.blur else ""
        self.draft.value = self.review.blur if self.review.blur in DRAFTS else ""
        draft = bool(self.draft.value)
        self.run_button.description = "Export draft" if draft else "Export"
        self.check.disabled = draft
        # Only the file names made here are changed: what a person typed stays.
        made = {self._made_output(kind) for kind in KINDS}
        if self.output.value in made:
            self.output.value = self._default_output()

    def _made_output(self, kind: str) -> str:
        path = self.review.video.path
        if path is None:
            return ""
        folder = self.review.folder or path.parent
        return str(folder / (f"{path.stem}_{DRAFTS[kind]}.mp4" if kind in DRAFTS else default_output(path).name))

    def _try(self) -> None:
        if self.review.reader is None:
            raise OptionError("there is no video to try it on: open the review with Review.open(video, annotations)")
        self.show_kinds()

    def _show_kinds(self) -> None:
        """Show what each kind makes of the current face."""
        region, frame = self._example(), self.review.current_frame
        for name, (_, image, _) in self.kinds.items():
            picture = data_uri(redacted(self.review, frame, region, width=96, kind=name))
            image.value = f'<img alt="{name}" src="{picture}">'
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

    def ask_and_run(self) -> Job | None:
        """Queue the pass; say first, and wait for a second press, where it would replace a file or repeat a leak."""
        target, edits = Path(self.output.value.strip()), self.review.revision
        doubt = ""
        if self._exposed_at == edits:
            doubt = (
                "the last export left a face bare, and nothing was changed since. Answer the findings, or press again"
            )
        elif target.name and target.exists() and target not in self._own:
            doubt = f"{target.name} is there already, and was not written here. Press again to replace it"
        if doubt and self._asked != (str(target), edits):
            self._asked = (str(target), edits)
            self.say(f"{doubt}.")
            return None
        self._asked = None
        return self.run(replace=bool(doubt))

    def run(self, *, replace: bool = False) -> Job:
        """Queue the pass with the settings shown and the decisions as they are now; return its job.

        Parameters
        ----------
        replace : bool
            Replace a file that this panel did not write.
        """
        review, output = self.review, self.output.value.strip()
        if review.video.path is None or not output:
            raise OptionError("name the output, and open the review on a video, before redacting")
        source, target = review.video.path, Path(output)
        draft = review.blur in DRAFTS
        annotations, check, revision = review.annotations, self.check.value and not draft, review.revision
        settings: dict[str, Any] = {
            "blur": review.blur,
            "margin": review.margin,
            "audio": self.audio.value,
            "mute": parse_ranges(self.mute.value),
            "overwrite": replace or target in self._own,
            "allow_nothing": self.allow_nothing.value or draft,
        }

        def work(progress: ProgressLike) -> tuple[RedactionReport, Any]:
            report = redact(source, annotations, output=target, progress=progress, **settings)
            self._own.add(target)
            if not check:
                return report, None
            self._show_written(report)
            return report, verify(source, report.output, annotations, progress=progress)

        self.report.value, self.player.children = "", ()
        self._tell("", "")
        self._drop_findings()
        finished = self.guard(lambda job: self._finished(job, revision))
        job = self.runner.submit(f"redact {source.name}", work, finished=finished)
        self.bar.follow(job)
        return job

    def _tell(self, colour: str, text: str) -> None:
        self.state = (re.split("[:.,]", text)[0].lower(), colour)
        self.verdict.value = f'<div class="rk-said rk-said-{colour}" role="status">{escape(text)}</div>' if text else ""

    def _show_written(self, report: RedactionReport) -> None:
        """Let the video be watched while it is checked."""
        self._tell("doubtful", "Written. It is being looked through for bare faces; you can watch it meanwhile.")
        if not self._closed:
            self.player.children = (as_video(report.output),)

    def _finished(self, job: Job, revision: int) -> None:
        self.bar.refresh()
        if job.state != "done" or self._closed:
            return
        report, found = job.result
        colour, text = verdict_of(report, found)
        self._tell(colour, text)
        self._exposed_at = revision if colour == "bad" else None
        tables = [report._repr_html_(), found._repr_html_() if found is not None else ""]
        self.report.value = "".join(tables)
        if found is not None and not found.ok:
            job.warning = found.verdict  # a pass that is done is not a video that may be given away
            self.bar.refresh()
        if self._checked is not None:
            self._checked(found)
        elif found is not None and not found.ok:
            self.findings.children = (FindingsView(self.review, found),)
        if not self.player.children:
            self.player.children = (as_video(report.output),)

    def _drop_findings(self) -> None:
        for view in self.findings.children:
            view.close()
        self.findings.children = ()
