"""What a running pass looks like: bar, rate, time left, cancel."""

from __future__ import annotations

import ipywidgets

from redactkit.widgets.markup import escape
from redactkit.widgets.runner import BackgroundPass, Runner
from redactkit.widgets.view import button, row

__all__ = ["PassBar", "describe_pass"]

_BARS = {"running": "info", "done": "success", "failed": "danger", "cancelled": "warning", "waiting": ""}


_STAGES = {
    "analyze": "Looking for faces",
    "track": "Joining faces to tracks",
    "refine": "Following faces closely",
    "people": "Comparing faces",
    "redact": "Hiding and writing",
    "verify": "Looking for bare faces",
    "follow": "Following",
}
"""What the stages of the passes do, in words; each has a bar of its own."""


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def describe_pass(job: BackgroundPass) -> str:
    """Return in one line of plain text how a job stands."""
    if job.state == "waiting":
        return "waiting"
    if job.state == "running":
        left = "" if job.left is None else f", {_duration(job.left)} left"
        what = "tracks" if job.stage == "people" else "frames"
        stage = _STAGES.get(job.stage, job.stage)
        return f"{stage}: {job.done} of {job.total} {what}, {job.rate:.0f} a second{left}"
    if job.warning:
        return f"{job.state}, but {job.warning}"
    return f"{job.state} {job.error}".strip()


def _bar_style(job: BackgroundPass) -> str:
    return "danger" if job.warning else _BARS[job.state]


class PassBar(ipywidgets.VBox):  # type: ignore[misc]
    """Progress of one job, with its Cancel button."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.job: BackgroundPass | None = None
        self.bar = ipywidgets.FloatProgress(0, min=0, max=1, layout={"width": "200px"})
        self.bar.add_class("rk-progress")
        self.cancel_button = button("times", "stop; no file is left", text="Cancel", css="rk-cancel")
        self.cancel_button.disabled = True
        self.cancel_button.on_click(lambda _: self.cancel())
        self.text = ipywidgets.HTML()
        self.text.add_class("rk-progress-text")
        super().__init__([row(self.bar, self.cancel_button, self.text)], layout={"display": "none"})

    def follow(self, job: BackgroundPass) -> None:
        """Show this job from now on."""
        self.job = job
        self.layout.display = ""
        self.refresh()

    def cancel(self) -> None:
        """Stop the job shown."""
        if self.job is not None:
            self._runner.cancel(self.job)

    def refresh(self) -> None:
        """Show how the job stands."""
        if self.job is None:
            return
        self.bar.value, self.bar.bar_style = self.job.share, _bar_style(self.job)
        ended = self.job.state not in ("waiting", "running")
        self.cancel_button.disabled = ended
        for part in (self.cancel_button, self.bar):
            part.layout.display = "none" if ended else ""
        good = "rk-bad" if self.job.warning else "rk-good"
        css = {"failed": "rk-bad", "done": good}.get(self.job.state, "")
        self.text.value = f'<span class="{css}">{escape(describe_pass(self.job))}</span>'
