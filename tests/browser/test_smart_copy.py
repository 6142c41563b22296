from __future__ import annotations

import base64
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from redactkit.video import VideoReader, VideoWriter, probe
from tests.clips import BITS, Clip, make

READ_NUMBER = """async ([seconds, bits]) => {
    const video = document.querySelector('video');
    await new Promise((done, fail) => {
        video.onseeked = done;
        video.onerror = () => fail(new Error(video.error.message));
        video.currentTime = seconds;
    });
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    const side = Math.min(Math.floor(canvas.width / bits), Math.floor(canvas.height / 2));
    let number = 0;
    for (let bit = 0; bit < bits; bit++) {
        const pixel = context.getImageData(bit * side + side / 2, side / 2, 1, 1).data;
        if (pixel[0] > 128) number |= 1 << bit;
    }
    return number;
}"""

PLAY = """async () => {
    const video = document.querySelector('video');
    const times = [];
    const watch = (now, frame) => { times.push(frame.mediaTime); video.requestVideoFrameCallback(watch); };
    video.requestVideoFrameCallback(watch);
    await new Promise((done, fail) => {
        video.onended = done;
        video.onerror = () => fail(new Error(video.error.message));
        video.currentTime = 0;
        video.play();
    });
    return times;
}"""


def smart_copy(source: Path, target: Path, *, hidden: list[int]) -> VideoWriter:
    info = probe(source)
    redacted = np.isin(np.arange(info.frame_count), hidden)
    with VideoReader(source, info=info) as reader, VideoWriter(target, info, smart_copy=redacted) as writer:
        for frame in reader.ranges(writer.wanted):
            writer.write(writer.prepare(frame.picture, frame.pts), frame.pts)
    return writer


@pytest.fixture(params=["bframes", "baseline", "sound"])
def page(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Any:
    """A page with a video of 72 frames in 6 groups, of which the second, third and fifth were mostly encoded anew."""
    options = {"g": "12", "bf": "2", "x264-params": "scenecut=0"}
    clip = Clip(frames=72, width=320, height=192, options=options)
    kinds = {
        "bframes": clip,
        "baseline": clip.but(options={"g": "12", "profile": "baseline", "x264-params": "scenecut=0"}),
        "sound": clip.but(audio=["aac"], time_base=Fraction(1, 1000), pts=[40 * i + i % 3 for i in range(72)]),
    }
    writer = smart_copy(make(tmp_path / "a.mp4", kinds[request.param]), tmp_path / "b.mp4", hidden=[14, 30, 50])
    encoded = set(np.flatnonzero(~writer.copied).tolist())
    # Of the second and fifth group what comes before the hidden frame is copied, as far as nothing is reordered.
    assert {*range(14, 36), *range(50, 60)} <= encoded <= {*range(13, 36), *range(49, 60)}
    page = browser.new_page()
    data = base64.b64encode((tmp_path / "b.mp4").read_bytes()).decode()
    page.set_content(f'<video muted src="data:video/mp4;base64,{data}"></video>')
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    yield page
    page.close()


def shown(page: Page, frame: int) -> int:
    """Return the number in the picture after a seek; on a busy machine it is drawn a while after the seek is done."""
    for _ in range(30):
        number: int = page.evaluate(READ_NUMBER, [frame * 0.04 + 0.02, BITS])
        if number == frame:
            break
        page.wait_for_timeout(100)
    return number


def test_browser_seeks_to_the_right_frame_on_both_sides_of_every_border(page: Page) -> None:
    for frame in (0, 11, 12, 13, 14, 15, 35, 36, 47, 48, 49, 50, 51, 59, 60, 71, 24, 1, 50):
        assert shown(page, frame) == frame


def test_browser_plays_across_every_border(page: Page) -> None:
    # A busy machine leaves frames out here and there; what a border breaks is missing each time.
    steps = []
    for _ in range(3):
        times = page.evaluate(PLAY)
        assert times == sorted(times) and times[-1] > 70 * 0.04
        steps.append(max(np.diff(times)))
        if steps[-1] < 0.5:
            break
    assert min(steps) < 0.5
