"""Process many videos in parallel, on the cores of this machine or on a Dask cluster.

`submit` starts jobs and returns `Jobs` at once. A view of it, such as a widget, needs no more than:

``jobs.table()``, ``jobs.table(numbers)``
    One row per job, or for some, as a DataFrame: index ``job``; ``video``, ``mode``, ``state`` (queued, running,
    done, failed, cancelled), ``stage``, ``progress`` (0 to 1), ``frames``, ``rate`` (frames a second), ``left``
    (seconds), ``faces``, ``ok``, ``nothing_hidden`` (the output hides no face), ``priority``, ``tries``,
    ``worker``, ``started``, ``ended`` (UTC), ``note``, ``error``, ``output``.
``jobs.counts()``, ``jobs.time_left()``
    Jobs in each state, and seconds until all is done.
``forget = jobs.on_change(listener)``
    Calls ``listener(numbers)`` with the jobs that changed, at most twice a second, on a thread of its own;
    ``forget()`` ends that. A listener that is slow or raises delays nothing else.
``jobs.cancel(job)``, ``jobs.resubmit(job)``, ``jobs.set_priority(job, priority)``
    Without a number, cancel is for all jobs, and resubmit for those that failed or were cancelled.
``jobs.dashboard``
    Address of Dask's own dashboard, or None.
``jobs.wait(timeout)``, ``jobs.save_report("report.csv")``, ``jobs.close()``

Manifests beside the outputs record what a batch has done, so running it again does only what is missing.
"""

from __future__ import annotations

from redactkit.jobs.jobs import Jobs
from redactkit.jobs.local import LocalPool
from redactkit.jobs.submit import submit
from redactkit.jobs.watch import watch

__all__ = ["Jobs", "LocalPool", "submit", "watch"]
