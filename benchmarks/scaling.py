"""What many videos cost: core time per frame, one worker against two, client memory, and time per Dask task.

Run it with ``python -m benchmarks.scaling [FRAMES]`` on a machine that does nothing else.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import av

from redactkit.analysis import analyze
from redactkit.jobs import Jobs, submit
from redactkit.jobs.submit import make_specs
from redactkit.passes import redact
from redactkit.redaction import read_report
from redactkit.runtime.resources import sample_path
from redactkit.verification.reproduction import compare_frames
from redactkit.video import probe


def loop_sample(path: Path, *, frames: int) -> Path:
    """Repeat the sample without encoding it again, until there are so many frames."""
    with av.open(str(path), "w") as output, av.open(str(sample_path())) as source:
        stream = output.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        step = packets[0].duration
        for number in range(-(-frames // len(packets))):
            with av.open(str(sample_path())) as again:
                for packet in again.demux(video=0):
                    if packet.size:
                        packet.pts += number * len(packets) * step
                        packet.dts += number * len(packets) * step
                        packet.stream = stream
                        output.mux(packet)
    return path


def core_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure_passes(clip: Path, folder: Path) -> None:
    frames = probe(clip).frame_count
    began = core_seconds()
    analyze(clip, output=folder, progress=False)
    middle = core_seconds()
    report = redact(clip, folder / f"{clip.stem}_annotations.json", output=folder / "a.mp4", progress=False)
    ended = core_seconds()
    print(
        f"analyze {1000 * (middle - began) / frames:.1f} core-ms a frame, redact {1000 * (ended - middle) / frames:.1f}"
    )
    print(f"annotations {(folder / f'{clip.stem}_annotations.json').stat().st_size / frames:.0f} bytes a frame")
    print(f"video {clip.stat().st_size / frames:.0f} bytes a frame, output {report.output.stat().st_size / frames:.0f}")


def measure_workers(clip: Path, folder: Path, *, chunk_frames: int) -> None:
    """Time one worker and two on one video in parts, and hold what they found and wrote against a plain analysis."""
    began = time.perf_counter()
    analyze(clip, output=folder / "0", progress=False)
    times = {0: time.perf_counter() - began}
    cores = os.sched_getaffinity(0)
    for workers in (1, 2):
        began = time.perf_counter()
        os.sched_setaffinity(0, sorted(cores)[:workers])
        with submit(clip, output=folder / str(workers), workers=workers, chunk_frames=chunk_frames) as jobs:
            jobs.wait()
            assert jobs.counts()["done"] == 1, jobs.table()["error"].tolist()
        times[workers] = time.perf_counter() - began
        os.sched_setaffinity(0, cores)
    found = [(folder / str(workers) / f"{clip.stem}_annotations.json").read_bytes() for workers in times]
    reports = [read_report(folder / str(workers) / f"{clip.stem}_redacted.report.json") for workers in (1, 2)]
    said = f"{times[1]:.1f} s with one worker on one core, {times[2]:.1f} s with two on two"
    print(f"{probe(clip).frame_count} frames: analyze alone {times[0]:.1f} s")
    print(f"both passes by chunks of {chunk_frames} frames: {said}: {times[1] / times[2]:.2f} times as fast")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(
        f"annotations byte-equal: {found[0] == found[1] == found[2]}; fidelity holds: {[one['ok'] for one in reports]}"
    )
    same = compare_frames(*(folder / str(workers) / f"{clip.stem}_redacted.mp4" for workers in (1, 2)))
    print(f"redacted frames of one worker and of two: {same}")


def measure_client(count: int = 10_000) -> None:
    class Nothing:
        dashboard = None

        def slots(self) -> int:
            return 0

        def close(self) -> None:
            pass

    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    names = (f"/videos/{number:05d}.mp4" for number in range(count))
    jobs = Jobs(make_specs(names, output="/out"), Nothing())
    print(f"{count} queued videos: {(tracemalloc.get_traced_memory()[0] - before) / 1e6:.1f} MB on the client")
    tracemalloc.stop()
    jobs.close()


def measure_dask(count: int = 500) -> None:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.gather([client.submit(abs, -number, pure=False) for number in range(20)])
        began = time.perf_counter()
        client.gather([client.submit(abs, -number, pure=False) for number in range(count)])
        print(f"Dask: {1000 * (time.perf_counter() - began) / count:.2f} ms a task, {count} tasks that do nothing")


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 15_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure_client()
        measure_dask()
        measure_passes(loop_sample(folder / "short.mp4", frames=min(frames, 500)), folder / "short")
        measure_workers(loop_sample(folder / "long.mp4", frames=frames), folder, chunk_frames=min(3000, frames // 4))


if __name__ == "__main__":
    main()
