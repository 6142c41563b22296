"""Write what was prepared: a video of the same frames and times, whose hidden boxes show nobody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from redactkit.redaction.preparation import Preparation, report_of
from redactkit.redaction.rendering import write_frames
from redactkit.redaction.report import RedactionReport
from redactkit.runtime.cores import opencv_in_one_thread
from redactkit.runtime.files import fit_name
from redactkit.runtime.memory import limit_arenas, mmap_large_blocks, small_pages
from redactkit.runtime.partial_files import sweep_partial_files
from redactkit.runtime.progress import ProgressLike
from redactkit.video import VideoWriter

__all__ = ["default_output", "write_redacted"]


def default_output(video: str | Path) -> Path:
    """Return where the redacted video goes when nobody says: ``foo_redacted.mp4`` beside ``foo``."""
    source = Path(video)
    return source.with_name(fit_name(source.stem, "_redacted.mp4"))


@opencv_in_one_thread()
@mmap_large_blocks()
@small_pages()
def write_redacted(
    prepared: Preparation, target: Path, *, overwrite: bool = False, progress: ProgressLike = True
) -> RedactionReport:
    """Write what was prepared, and check it; errors as of `redact`."""
    limit_arenas()
    info, options = prepared.info, prepared.options
    sweep_partial_files(target.parent)
    with (
        VideoWriter(
            target,
            info,
            options.writer,
            overwrite=overwrite,
            smart_copy=prepared.redacted,
        ) as writer,
        ThreadPoolExecutor(1) as other,
    ):
        other.submit(lambda: prepared.facts)  # put together beside the first frames
        written = write_frames(info, prepared.plan, writer, progress=progress, **options.effect)
    # What became of the sound is known only once the file is closed.
    return report_of(prepared, target, written, notes=writer.notes, copied=writer.copied_ranges)
