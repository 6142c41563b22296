"""Cores: how many there are, and OpenCV's threads, which are taken away and given back."""

from __future__ import annotations

import os

import cv2
import pytest

from redactkit.runtime import cores
from redactkit.runtime.cores import count_cores, count_workers, opencv_in_one_thread


@pytest.fixture(autouse=True)
def many_threads():
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


def test_opencv_has_one_thread_inside_and_its_own_again_after_the_last():
    with opencv_in_one_thread():
        with opencv_in_one_thread():
            assert cv2.getNumThreads() == 1
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == 3


def test_opencv_has_its_threads_again_after_an_error():
    @opencv_in_one_thread()
    def fail():
        raise ValueError(cv2.getNumThreads())

    for _ in range(2):
        with pytest.raises(ValueError, match=r"^1$"):
            fail()
        assert cv2.getNumThreads() == 3


@pytest.mark.parametrize(("quota", "most"), [("150000 100000\n", 1), ("max 100000\n", 999), ("", 999)])
def test_count_cores_knows_the_quota_of_a_container(tmp_path, monkeypatch, quota, most):
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(cores, "_CGROUP_QUOTA_FILE", tmp_path / "cpu.max")
    assert count_cores() == min(most, len(os.sched_getaffinity(0)))


def test_workers_are_as_many_as_cores_memory_and_tasks_allow(monkeypatch):
    monkeypatch.setattr(cores, "count_cores", lambda: 16)
    assert count_workers(width=640, height=360, tasks=20) == 8
    assert count_workers(width=1920, height=1080, tasks=20) == 4
    assert count_workers(width=7680, height=4320, tasks=20) == 2
    assert count_workers(width=640, height=360, tasks=1) == 1
    monkeypatch.setattr(cores, "count_cores", lambda: 3)
    assert count_workers(width=640, height=360, tasks=20) == 3
