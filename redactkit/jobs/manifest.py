"""Job manifests: what a job read and wrote, saved beside its outputs, so that it is not done twice.

A manifest is valid while every file it names is unchanged. Files are compared by size and modification time, and by
SHA-256 if these differ, so a copied archive is still recognized.
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
    "outputs_complete",
    "read_manifest",
    "sizes_of",
    "unchanged",
]


class InputFile(Struct, frozen=True):
    """Size, modification time and hash of a file when a job read it."""

    size: int
    changed: int
    sha256: str


class JobManifest(Struct, frozen=True, omit_defaults=True):
    """The files that a job reads, the files it has written so far, and its result.

    ``key`` is a hash of inputs and settings; ``outputs`` are sizes by name. ``done`` is false while the job runs.
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
        """Write the manifest, whole or not at all."""
        make_private(path.parent)
        write_text(path, msgspec.json.encode(self).decode(), overwrite=True)


def read_manifest(path: Path) -> JobManifest | None:
    """Return the manifest in a file, None if it is missing or cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=JobManifest)
    except (OSError, msgspec.MsgspecError):
        return None


def describe_file(path: Path, *, digest: str | None = None) -> InputFile:
    """Return a file's size, modification time and hash, which is computed if it is not given."""
    status = path.stat()
    return InputFile(status.st_size, status.st_mtime_ns, digest or file_sha256(path))


def unchanged(inputs: Mapping[str, InputFile]) -> bool:
    """Return whether every file still has its size and modification time."""
    return all(_same_status(Path(name), known) for name, known in inputs.items())


def _same_status(path: Path, known: InputFile) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (known.size, known.changed)


def job_key(spec: Spec, inputs: Iterable[InputFile]) -> str:
    """Return a hash of a job's inputs and settings."""
    what = [spec.settings_key, *(item.sha256 for item in inputs)]
    return hashlib.sha256(" ".join(what).encode()).hexdigest()


def sizes_of(paths: Iterable[Path]) -> dict[str, int]:
    """Return the sizes of files, by name."""
    return {path.name: path.stat().st_size for path in paths}


def outputs_complete(manifest: JobManifest | None, paths: Iterable[Path], *, key: str) -> bool:
    """Return whether a manifest has this key and names all these outputs, and each exists with its size."""
    if manifest is None or manifest.key != key:
        return False
    return all(path.is_file() and manifest.outputs.get(path.name) == path.stat().st_size for path in paths)


def done_before(spec: Spec) -> JobManifest | None:
    """Return the manifest if the same job is done and no file it names has changed, otherwise None."""
    manifest = read_manifest(spec.manifest)
    if manifest is None or not manifest.done or not unchanged(manifest.inputs):
        return None
    key = job_key(spec, manifest.inputs.values())
    return manifest if outputs_complete(manifest, spec.outputs, key=key) else None
