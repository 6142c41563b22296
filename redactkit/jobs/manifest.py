"""What a job has done, written down beside its outputs, so that the same job is not done twice.

A record holds only while every file it names is there unchanged. Files are compared by size and time of
change first and by SHA-256 where those differ, so that a copied archive is still known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from redactkit.jobs.spec import Spec
from redactkit.media import file_sha256
from redactkit.runtime.files import make_private, write_text

__all__ = [
    "InputFile",
    "JobManifest",
    "done_before",
    "job_key",
    "describe_file",
    "outputs_stand",
    "read_manifest",
    "sizes_of",
    "unchanged",
]


class InputFile(Struct, frozen=True):
    """A file that a job reads, as it was."""

    size: int
    changed: int
    sha256: str


class JobManifest(Struct, frozen=True, omit_defaults=True):
    """What is known of a job: the files it reads, the files it has written so far, and how it ended.

    ``key`` stands for inputs and settings; ``outputs`` are sizes by name. ``done`` is false in a job's
    folder while it runs.
    """

    key: str
    inputs: dict[str, InputFile]
    outputs: dict[str, int]
    done: bool = False
    frames: int = 0
    faces: int = 0
    ok: bool = True
    nothing_hidden: bool = False
    worker: str = ""
    finished: str = ""

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        make_private(path.parent)
        write_text(path, msgspec.json.encode(self).decode(), overwrite=True)


def read_manifest(path: Path) -> JobManifest | None:
    """Return the record in a file, None if there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=JobManifest)
    except (OSError, msgspec.MsgspecError):
        return None


def describe_file(path: Path, *, digest: str | None = None) -> InputFile:
    """Return what tells a file from another; its hash is computed if it is not given."""
    status = path.stat()
    return InputFile(status.st_size, status.st_mtime_ns, digest or file_sha256(path))


def unchanged(inputs: Mapping[str, InputFile]) -> bool:
    """Return whether every file has the size and time of change that it had."""
    return all(_same_status(Path(name), known) for name, known in inputs.items())


def _same_status(path: Path, known: InputFile) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (known.size, known.changed)


def job_key(spec: Spec, inputs: Iterable[InputFile]) -> str:
    """Return what stands for a job's inputs and settings."""
    what = [spec.settings_key, *(item.sha256 for item in inputs)]
    return hashlib.sha256(" ".join(what).encode()).hexdigest()


def sizes_of(paths: Iterable[Path]) -> dict[str, int]:
    """Return the sizes of files, by name."""
    return {path.name: path.stat().st_size for path in paths}


def outputs_stand(record: JobManifest | None, paths: Iterable[Path], *, key: str) -> bool:
    """Return whether a record with this key names all these outputs, and they are there in their size."""
    if record is None or record.key != key:
        return False
    return all(path.is_file() and record.outputs.get(path.name) == path.stat().st_size for path in paths)


def done_before(spec: Spec) -> JobManifest | None:
    """Return the record of this very job if it is done and no file it names has changed, else None."""
    record = read_manifest(spec.record)
    if record is None or not record.done or not unchanged(record.inputs):
        return None
    key = job_key(spec, record.inputs.values())
    return record if outputs_stand(record, spec.outputs, key=key) else None
