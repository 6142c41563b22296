"""Generated scenes with exact truth: what hides a thing, its like, and its absence do not mislead following."""

from __future__ import annotations

import pytest

from benchmarks.following import follow, score
from benchmarks.moving_things import FRAMES, SCENES, render


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("plate 64, behind a pillar", 0.97),
        ("plate 70, its like passes before it", 0.97),
    ],
)
def test_thing_is_covered_while_it_shows_and_not_claimed_elsewhere(name, covered):
    scene = next(scene for scene in SCENES if scene.name == name)
    frames, truth = render(scene)
    start = FRAMES // 2
    told = score(follow(frames, truth.boxes[start], start), truth.boxes, truth.shown, start=start, size=scene.size)
    assert told["covered"] >= covered * told["shown"]
    assert told["drift"] <= 0.01 * told["claimed"]
    assert told["IoU"] > 0.9
