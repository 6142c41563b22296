"""What a running pass looks like: bar, rate, time left, cancel; and the table of several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from redactkit.review import Review
from redactkit.widgets.markup import escape, timecode
from redactkit.widgets.runner import Job, Runner
from redactkit.widgets.view import View, button, row

__all__ = ["JobsTable", "PassBar", "tell"]

_BARS = {"running": "info", "done": "success", "failed": "danger", "cancelled": "warning", "waiting": ""}


def tell(job: Job) -> str:
    """Return in one line of plain text how a job stands."""
    if job.state == "waiting":
        return "waiting"
    if job.state == "running":
        left = "" if job.left is None else f", {timecode(job.left)[:8]} left"
        return f"{job.stage}: {job.done} of {job.total} frames, {job.rate:.0f} a second{left}"
    if job.warning:
        return f"{job.state}, but {job.warning}"
    return f"{job.state} {job.error}".strip()


def _bar_style(job: Job) -> str:
    return "danger" if job.warning else _BARS[job.state]


class PassBar(ipywidgets.VBox):  # type: ignore[misc]
    """Progress of one job, with its Cancel button."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.job: Job | None = None
        self.bar = ipywidgets.FloatProgress(0, min=0, max=1, layout={"width": "200px"})
        self.bar.add_class("rk-progress")
        self.cancel_button = button("times", "stop; no file is left", text="Cancel", css="rk-cancel")
        self.cancel_button.disabled = True
        self.cancel_button.on_click(lambda _: self.cancel())
        self.text = ipywidgets.HTML()
        self.text.add_class("rk-progress-text")
        super().__init__([row(self.bar, self.cancel_button, self.text)])

    def follow(self, job: Job) -> None:
        """Show this job from now on."""
        self.job = job
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
        self.cancel_button.disabled = self.job.state not in ("waiting", "running")
        good = "rk-bad" if self.job.warning else "rk-good"
        css = {"failed": "rk-bad", "done": good}.get(self.job.state, "")
        self.text.value = f'<span class="{css}">{escape(tell(self.job))}</span>'


class JobsTable(View):
    """The passes that were asked for: state, progress, time left, cancel, run again.

    Parameters
    ----------
    review : Review
    runner : Runner
    most : int
        Jobs shown, the newest of them.
    """

    def __init__(self, review: Review, runner: Runner, *, most: int = 30) -> None:
        super().__init__(review, css="rk-jobs")
        self.runner, self._most = runner, most
        self._rows: dict[Job, tuple[Any, ...]] = {}
        self.list = ipywidgets.VBox()
        clear = button("", "forget the jobs that are over", text="Clear", css="rk-clear")
        clear.on_click(lambda _: runner.clear())
        self.show(self.list, row(clear))
        worker = self.worker(self.refresh, interval=0.2)
        self.watch(lambda _: worker.submit(), "revision", source=runner)
        self.refresh()

    def refresh(self) -> None:
        """Show the jobs as they stand."""
        jobs = self.runner.jobs[-self._most :]
        for job in [job for job in self._rows if job not in jobs]:
            _close(self._rows.pop(job))
        for job in jobs:
            if job not in self._rows:
                self._rows[job] = self._make_row(job)
            self._show_row(job, *self._rows[job])
        rows = [self._rows[job][0] for job in jobs]
        if list(self.list.children) != rows:
            self.list.children = rows

    def _make_row(self, job: Job) -> tuple[Any, ...]:
        name = ipywidgets.HTML(f"<b>{escape(job.name)}</b>", layout={"width": "170px"})
        bar = ipywidgets.FloatProgress(0, min=0, max=1, layout={"width": "90px"})
        text = ipywidgets.HTML()
        stop = self._do("times", f"cancel {job.name}", lambda: self.runner.cancel(job))
        again = self._do("redo", f"run {job.name} again", lambda: self.runner.again(job))
        return row(name, bar, stop, again, text, css="rk-job"), bar, stop, again, text

    def _do(self, icon: str, tip: str, act: Callable[[], Any]) -> Any:
        made = button(icon, tip)
        made.on_click(self.press(act))
        return made

    def _show_row(self, job: Job, _: Any, bar: Any, stop: Any, again: Any, text: Any) -> None:
        bar.value, bar.bar_style = job.share, _bar_style(job)
        stop.disabled = job.state not in ("waiting", "running")
        again.disabled = not stop.disabled
        text.value = f'<span class="rk-job-{job.state}">{escape(tell(job))}</span>'


def _close(parts: tuple[Any, ...]) -> None:
    line = parts[0]
    for child in line.children:
        child.close()
    line.close()
