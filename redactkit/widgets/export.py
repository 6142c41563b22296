"""The panel that runs the second pass: how faces are hidden, where the video goes, and whether a face is left bare."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from redactkit.annotations import Annotations
from redactkit.effects import BLUR_KINDS
from redactkit.errors import OptionError
from redactkit.passes import redact
from redactkit.redaction import RedactionReport, default_output
from redactkit.review import Review
from redactkit.runtime.progress import ProgressLike
from redactkit.runtime.timecode import parse_ranges, parse_timecode, timecode
from redactkit.verification import MOST_ROUNDS, Checked, VerificationReport, redact_until_clean, take_over, verify
from redactkit.widgets.findings import FindingsView
from redactkit.widgets.looks import DRAFTS, LookChooser
from redactkit.widgets.markup import escape
from redactkit.widgets.panels import allowing_nothing
from redactkit.widgets.playback import as_video
from redactkit.widgets.progress import PassBar
from redactkit.widgets.runner import BackgroundPass, Runner
from redactkit.widgets.view import View, button, row

__all__ = ["RedactPanel", "verdict_of"]

_WHOLE, _REST_KEPT, _REST_CUT = "the whole video", "a part; the rest stays as it is", "a part; the rest is cut away"


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
        Show at once what each kind makes of a face of this video.
    checked : callable, optional
        Takes the report of a leak check; left out, its findings are shown here.

    Attributes
    ----------
    state : tuple of str
        How the last export ended, in a few words, and as a colour.

    Examples
    --------
    >>> RedactPanel(review)  # doctest: +SKIP
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
        self._done: Checked | None = None
        self._written: tuple[RedactionReport, Annotations] | None = None
        self._rounds = 0
        self._build()
        self.watch(lambda _: self._mark_draft(), "blur")
        self.watch(lambda _: self.bar.refresh(), "revision", source=self.runner)
        self._mark_draft()
        if examples and review.reader is not None:
            self.show_kinds()

    def _build(self) -> None:
        self.verdict = ipywidgets.HTML()
        self.verdict.add_class("rk-verdict")
        self.looks = LookChooser(self.review)
        self.kinds, self.margin, self.show_kinds = self.looks.kinds, self.looks.margin, self.looks.show_kinds
        self.draft = ipywidgets.Dropdown(
            options=[("no draft: hide faces", ""), *((kind.label, name) for name, kind in DRAFTS.items())],
            description="Draft",
        )
        self.draft.add_class("rk-draft")
        self.draft.observe(self._on_draft, "value")
        self.output = ipywidgets.Text(self._default_output(), placeholder="foo_redacted.mp4", description="To")
        self.output.add_class("rk-output")
        self.check = ipywidgets.Checkbox(True, description="then look for bare faces", indent=False)
        self.check.add_class("rk-check")
        self.hide_found = ipywidgets.Checkbox(True, description="hide what is found, and look again", indent=False)
        self.hide_found.add_class("rk-hide-found")
        self.hide_found.tooltip = f"up to {MOST_ROUNDS} times; in doubt more is covered"
        self.check.observe(lambda _: self._mark_draft(), "value")
        self.allow_nothing = allowing_nothing()
        self.run_button = button("", "write the redacted video", text="Export", css="rk-run")
        self.run_button.button_style = "primary"
        self.run_button.on_click(self.press(self.ask_and_run))
        self.bar = PassBar(self.runner)
        self.report = ipywidgets.HTML()
        self.report.add_class("rk-report")
        self.player, self.findings = ipywidgets.VBox(), ipywidgets.VBox()
        self.see_button = button("", "answer them one by one", text="See what was found", css="rk-see")
        self.see_button.layout.display = "none"
        self.see_button.on_click(lambda _: self.see())
        advanced = ipywidgets.VBox([row(self.draft), self.allow_nothing, self.report])
        self.advanced = ipywidgets.Accordion([advanced], titles=["Advanced"])
        self.show(
            self.verdict,
            self.see_button,
            self.player,
            self.findings,
            self.looks,
            *self._build_parts(),
            self.output,
            self.advanced,
            row(self.run_button, self.check, self.hide_found, self.bar, css="rk-go"),
        )

    def _build_parts(self) -> tuple[Any, ...]:
        """Return the fields of what is written: which part of the video, and which sound."""
        self.part = ipywidgets.Dropdown(options=[_WHOLE, _REST_KEPT, _REST_CUT], description="Part")
        self.part.add_class("rk-part")
        span = (timecode(float(self.review.times[at]))[3:11] for at in (0, -1))
        self.start, self.end = (ipywidgets.Text(value) for value in span)
        self.range = row(self.start, ipywidgets.HTML("to"), self.end, css="rk-range")
        for name, field in (("start", self.start), ("end", self.end)):
            field.tooltip = "a time such as 0:05.2"
            here = button("", f"the {name} is the frame shown", text="here", css=f"rk-{name}-here")
            here.on_click(self.press(partial(self._put_time, field)))
            self.range.children = (*self.range.children, here)
        first, word, last, first_here, last_here = self.range.children
        self.range.children = (first, first_here, word, last, last_here)
        self.part.observe(lambda _: self._show_parts(), "value")
        self.audio = ipywidgets.Dropdown(
            options=[("as it is", "keep"), ("silent in parts", "mute"), ("none", "drop")], description="Sound"
        )
        self.audio.add_class("rk-audio")
        self.audio.observe(lambda _: self._show_parts(), "value")
        self.mute = ipywidgets.Text(placeholder="silent in, such as 0:05-0:07.5; 12-13", description="")
        self.mute.add_class("rk-mute")
        self._show_parts()
        return self.part, self.range, self.audio, self.mute

    def _put_time(self, field: Any) -> None:
        field.value = timecode(float(self.review.times[self.review.current_frame]))[3:]

    def _show_parts(self) -> None:
        self.range.layout.display = "none" if self.part.value == _WHOLE else ""
        self.mute.layout.display = "" if self.audio.value == "mute" else "none"

    def _default_output(self) -> str:
        return self._made_output(self.review.blur)

    def _on_draft(self, change: Any) -> None:
        if change["new"]:
            self.review.blur = change["new"]
        elif self.review.blur in DRAFTS:
            self.review.blur = "Med"

    def _mark_draft(self) -> None:
        self.draft.value = self.review.blur if self.review.blur in DRAFTS else ""
        draft = bool(self.draft.value)
        self.run_button.description = "Export draft" if draft else "Export"
        self.check.disabled = draft
        self.hide_found.disabled = draft or not self.check.value
        # Only the file names made here are changed: what a person typed stays.
        made = {self._made_output(kind) for kind in BLUR_KINDS}
        if self.output.value in made:
            self.output.value = self._default_output()

    def _made_output(self, kind: str) -> str:
        path = self.review.video.path
        if path is None:
            return ""
        folder = self.review.writable(self.review.folder or path.parent)
        return str(folder / (f"{path.stem}_{DRAFTS[kind].draft}.mp4" if kind in DRAFTS else default_output(path).name))

    @property
    def settings(self) -> dict[str, Any]:
        """How faces are hidden and the video is written, as `redactkit.redact` takes it.

        Raises
        ------
        OptionError
            If a time or a time range means nothing.
        """
        review = self.review
        look = {"blur": review.blur, "margin": review.margin, "strength": review.strength, "shape": review.shape}
        silent = self.mute.value if self.audio.value != "drop" else ""
        settings = {**look, "audio": "drop" if self.audio.value == "drop" else "keep", "mute": parse_ranges(silent)}
        if self.part.value == _WHOLE:
            return settings
        ends = [parse_timecode(self.start.value), parse_timecode(self.end.value)]
        return settings | {"ranges": [tuple(ends)], "trim": self.part.value == _REST_CUT}

    def ask_and_run(self) -> BackgroundPass | None:
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

    def run(self, *, replace: bool = False) -> BackgroundPass:
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
        settings = self.settings | {
            "overwrite": replace or target in self._own,
            "allow_nothing": self.allow_nothing.value or draft,
        }

        rounds = MOST_ROUNDS if check and self.hide_found.value else 0
        self._done, self._written, self._rounds = None, None, rounds

        def write(given: Annotations, progress: ProgressLike) -> RedactionReport:
            more = {"overwrite": settings["overwrite"] or target in self._own}
            report = redact(source, given, output=target, progress=progress, **settings | more)
            self._own.add(target)
            self._written = report, given
            if check:
                self._show_written(report)
            return report

        def work(progress: ProgressLike) -> tuple[RedactionReport, Any]:
            if not check:
                return write(annotations, progress), None
            done = redact_until_clean(
                annotations,
                write=lambda given: write(given, progress),
                check=lambda report, given: verify(source, report.output, given, progress=progress),
                rounds=rounds,
                checked=self._remember,
            )
            return done.report, done.check

        self.report.value, self.player.children = "", ()
        self._show_status("", "")
        self._drop_findings()
        finished = self.guard(lambda job: self._finished(job, revision, annotations, target))
        job = self.runner.submit(f"redact {source.name}", work, finished=finished)
        self.bar.follow(job)
        return job

    def see(self) -> None:
        """Go to what the leak check found; a workbench says where that is."""

    def _show_status(self, colour: str, text: str) -> None:
        self.see_button.layout.display = "none"
        self.state = (re.split("[:.,]", text)[0].lower(), colour)
        self.verdict.value = f'<div class="rk-said rk-said-{colour}" role="status">{escape(text)}</div>' if text else ""

    def _show_written(self, report: RedactionReport) -> None:
        """Let the video be watched while it is checked."""
        again = self._done is not None
        self._show_status(
            "doubtful",
            f"Written{' again' if again else ''}. It is being looked through for bare faces; "
            "you can watch it meanwhile.",
        )
        if not self._closed:
            self.player.children = (as_video(report.output),)

    def _remember(self, done: Checked) -> None:
        """Keep what a check found while it is hidden and written again, which may be stopped."""
        self._done = done
        found = len(done.check.findings)
        if found and len(done.hidden) < self._rounds:
            self._show_status("doubtful", f"Found {found}: hiding them, and writing the video again.")

    def _finished(self, job: BackgroundPass, revision: int, annotations: Annotations, target: Path) -> None:
        self.bar.refresh()
        if self._closed:
            return
        if self._written is None:
            if job.state == "cancelled":
                before = f" {target.name} is of an export before." if target.exists() else ""
                self._show_status("doubtful", f"Stopped: nothing was written.{before}")
            return
        # The verdict is of the file that is there: if its check was stopped there is none, not that of an earlier one.
        (report, given), done = self._written, self._done
        found = done.check if done is not None and done.report is report else None
        colour, text = verdict_of(report, found)
        if job.state != "done":
            text = f"Stopped, and {report.output.name} was written before. {text}"
        elif done is not None and done.summary:
            text = f"{text} {done.summary.capitalize()}."
        self._show_status(colour, text)
        unchanged = job.state == "done" and self.review.revision == revision
        take_over(self.review, annotations, given)
        self._exposed_at = self.review.revision if colour == "bad" and unchanged else None
        tables = [report._repr_html_(), found._repr_html_() if found is not None else ""]
        self.report.value = "".join(tables)
        if found is not None and not found.ok:
            job.warning = found.verdict  # a pass that is done is not a video that may be given away
            self.bar.refresh()
        if self._checked is not None:
            self._checked(found)
            if found is not None and len(found.findings):
                self.see_button.layout.display = ""
        elif found is not None and not found.ok:
            self.findings.children = (FindingsView(self.review, found),)
        if not self.player.children:
            self.player.children = (as_video(report.output),)

    def _drop_findings(self) -> None:
        for view in self.findings.children:
            view.close()
        self.findings.children = ()
