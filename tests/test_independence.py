"""Annotations of a real search depend on neither the cores of the process nor chunks, and need no bfloat16."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sample_clips import cut_sample

ANALYSIS = """
import json, os, sys
cores, chunk = int(sys.argv[2]), int(sys.argv[3])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
from redactkit.runtime.cores import count_cores
assert count_cores() == cores
import redactkit as rk
found = rk.analyze(sys.argv[1], chunk_frames=chunk, same_person=False, progress=False)
tables = [table.to_csv(float_format="%.3f") for table in (found.detections, found.discarded)]
print(json.dumps([len(found.detections), *tables, found.cuts.tolist()]))
"""

DETECTION = """
import numpy as np
from redactkit.analysis.search import load_searcher
found = load_searcher("centerface")([np.zeros((96, 96, 3), np.uint8), np.zeros((736, 1280, 3), np.uint8)])
print(*(each.shape[1] for each in found))
"""


def _analyzed(clip: Path, *, cores: int, chunk: int) -> str:
    words = [sys.executable, "-c", ANALYSIS, str(clip), str(cores), str(chunk)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away here")
def test_annotations_depend_on_neither_cores_nor_chunks(tmp_path: Path) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    clip = cut_sample(tmp_path / "clip.mp4", stop=75, width=480, height=270)
    one = _analyzed(clip, cores=1, chunk=3000)
    assert not one.startswith("[0,"), "faces were found"
    assert _analyzed(clip, cores=2, chunk=3000) == one
    assert _analyzed(clip, cores=2, chunk=30) == one


@pytest.mark.parametrize("limit", ["AVX2", "SSE41"])
def test_the_detector_runs_where_there_is_no_bfloat16(limit: str) -> None:
    # Told to do without AVX-512, the library that runs the layers cannot compute what OpenVINO would ask it for.
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": limit}
    done = subprocess.run(
        [sys.executable, "-c", DETECTION], check=True, capture_output=True, text=True, env=environment
    )
    assert done.stdout.split() == ["5", "5"]
