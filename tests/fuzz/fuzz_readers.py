"""Fuzz the readers, guided by coverage: ``python -m tests.fuzz.fuzz_readers -max_total_time=600 CORPUS``.

Needs the package atheris. CORPUS is a folder that the fuzzer reads and adds to; the files of
`tests.annotation_files` and the committed corpus are put there first. Other options are libFuzzer's.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["redactkit.formats", "redactkit.inspection"]):
    from tests.fuzz.targets import TARGETS, run_target

from tests.annotation_files import make_files

CORPUS = Path(__file__).with_name("corpus.zip")
SEEDS = {"ids": b"1\r\n4, 7\n", "preset": b'{"version":"1.0","options":{"mode":"redact","blurType":"High"}}'}
SCRATCH = Path(tempfile.mkdtemp(prefix="redactkit-fuzz-")) / "their.file"


def seed(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (make_files() | SEEDS).items():
        (folder / f"seed-{name}").write_bytes(bytes([TARGETS.index(name)]) + data)
        (folder / f"seed-any-{name}").write_bytes(b"\0" + data)
    if CORPUS.exists():
        with zipfile.ZipFile(CORPUS) as archive:
            archive.extractall(folder)


def run(data: bytes) -> None:
    run_target(data, SCRATCH)


if __name__ == "__main__":
    folders = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    if folders:
        seed(Path(folders[0]))
    atheris.Setup(sys.argv, run)
    atheris.Fuzz()
