"""What a redaction costs the person at the mouse: ``python -m benchmarks.session [--clips sample,stage,crowd]``.

Drives the workbench in a real JupyterLab, by mouse and keys, and asks the kernel whether each task took effect. An
action is a click, a drag, a key or a typed word, 1.2 s; a look is one judgement, 2 s: a keystroke-level model (Card,
Moran and Newell 1980). What the machine takes meanwhile is a column of its own.

The first table is a whole session: all that this clip asks of a person, once. Everybody is hidden. Places to check are
answered by the clip's truth, with one answer for all of a reason: gaps are covered; a sheet of tracks that were set
aside is hidden as a whole as soon as a look shows a face on it, and called no face only when all of it was looked at.
The export hides what its leak check finds by itself; what is left then is hidden, and the video exported again.
People who are none are hidden with the others, which leaves nobody bare; to set them aside is a task of its own, with
which and without which the minutes are given. One look judges the pictures that are on the screen together, twelve at
most. The second table (not with ``--session-alone``) has each task once, also those that the clip does not need.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright.sync_api import sync_playwright

from benchmarks.crowd import make_crowd
from benchmarks.footage import STAGE
from benchmarks.hands import Person
from benchmarks.speed import FOLDER
from redactkit.boxes import iou
from redactkit.formats import read_annotations
from redactkit.runtime.resources import sample_path, sample_truth_path
from redactkit.tables import BOX
from tests.browser.lab import CHROMIUM_FLAGS, LabNotebook, LabServer, find_chromium, write_notebook

CROWD_FACES, CROWD_FRAMES = 32, 120
"""Every other head of the crowd is a drawn thing: 16 faces in 4 s of 30 frames."""

OPEN = "import redactkit as rk\nroom = rk.widgets.open({clip!r})\nreview = room.review\nroom"
LIMITS = {"crowd": 3.0, "crowd of 12 s": 3.0, "sample": 1.0}
"""Most minutes of a person per minute of video."""

SET_ASIDE = "people who are none"
"""The task that a session can do without."""

_OVER = "room.runner.jobs[-1].state in ('done', 'failed') and room.runner.jobs[-1].over.is_set()"
_LEAKS = "[key for key in room.check._to_do() if key.startswith('leak')]"
_OPEN = "[card['key'] for card in room.check.cards.items if card['state'] not in ('done', 'fold', 'good')]"


def clips() -> dict[str, Callable[[], tuple[Path, pd.DataFrame | None]]]:
    """Return what gives each clip, and its true boxes where they are known, by its name."""
    found: dict[str, Callable[[], tuple[Path, pd.DataFrame | None]]] = {
        "sample": lambda: (sample_path(), read_annotations(sample_truth_path()).detections),
        "crowd": lambda: make_crowd(
            FOLDER / "crowd_16_faces_720p.mp4", size="720p", frames=CROWD_FRAMES, faces=CROWD_FACES
        ),
        "crowd of 12 s": lambda: make_crowd(
            FOLDER / "crowd_16_faces_720p_12s.mp4", size="720p", frames=3 * CROWD_FRAMES, faces=CROWD_FACES
        ),
    }
    return found | ({"stage": lambda: (STAGE, None)} if STAGE.exists() else {})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.session", description=__doc__)
    parser.add_argument("--clips", type=lambda text: text.split(","), default=list(clips()))
    parser.add_argument("--session-alone", action="store_true", help="not each task once besides")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory(dir=FOLDER) as home:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        server = LabServer(Path(home))
        server.configure()
        try:
            for name in options.clips:
                source, truth = clips()[name]()
                folder = server.root / name.replace(" ", "_")
                folder.mkdir()
                clip = Path(shutil.copyfile(source, folder / f"{folder.name}{source.suffix}"))
                lab = LabNotebook(
                    server, browser, write_notebook(folder / "session.ipynb", OPEN.format(clip=str(clip)))
                )
                try:
                    work(lab, name, truth, alone=options.session_alone)
                finally:
                    lab.screenshot(FOLDER / f"session_{folder.name}.png")
                    lab.close()
        finally:
            server.close()
            browser.close()


def work(lab: LabNotebook, name: str, truth: pd.DataFrame | None, *, alone: bool) -> None:
    """Do a whole session and then each task once, and print what both cost."""
    lab.run_all()
    me = Person(lab)
    facts = redact_all(me, truth)
    print(f"\n**{name}**, {facts}")
    table = me.table()
    duration = me.ask("review.video.duration")
    every, needed = (part["person (s)"].sum() / duration for part in (table, table[table["task"] != SET_ASIDE]))
    limit = f" (at most {LIMITS[name]:g})" if name in LIMITS else ""
    more = f"; {every:.1f} with those set aside who are none" if every > needed else ""
    print(as_markdown(table), f"\n{needed:.1f} minutes per minute of video{limit}{more}\n", flush=True)
    if alone:
        return
    me.undo_to(0)
    lab.kernel.run("room.check.show_report(None)")
    decide(me)
    edit_boxes(me)
    follow(me)
    export_again(me)
    print(as_markdown(me.table()), flush=True)


def redact_all(me: Person, truth: pd.DataFrame | None) -> str:
    """Do what a clip needs, from the analysis to an export whose findings are answered; return what there was."""
    with me.task("analyze"):
        me.click(me.find(".rk-analyze .rk-run"))
        me.wait(f"not review.detections.empty and {_OVER}", timeout=900)
        me.wait("room.step == 'Who'")  # it goes on by itself, and what is looked at stands there
    people, pairs = me.ask("len(review.people)"), me.ask("review.suggestions()['matters'].tolist()")
    persons = match(me, truth, "detections")
    false = [face for face, person in persons.items() if person is None]
    with me.task("all people"):
        me.look_through(".rk-who .rk-tile", people)
        answer_pairs(me, persons)
    if false:
        with me.task(SET_ASIDE):
            order = me.ask("[face for faces in room.people._people['faces'] for face in faces]")
            for face in sorted(false, key=order.index):
                me.card(face)
                me.press("n")
                me.wait(f"{face} not in review.decisions.index")
    asked = Counter(me.ask("review.to_review().query('matters')['reason'].tolist()"))
    folded = Counter(me.ask("review.to_review().query('not matters')['reason'].tolist()"))
    real = [face for face, person in match(me, truth, "discarded").items() if person is not None]
    with me.task("all places to check"):
        if asked:
            me.step("Check")
            answer_places(me, real)
    over = me.ask("int((review.decisions['reason'] == 'brought back').sum())")
    found = [export(me, "export and leak check")]
    hidden = me.ask("int((review.decisions['reason'] == 'leak check').sum())")
    if found[0]:
        with me.task("what the leak check found"):
            me.step("Check")
            answer_places(me, real)
        found.append(export(me, "export again"))
    return (
        f"{me.ask('review.video.duration'):.1f} s: {people} people, {len(false)} of them none; {len(pairs)} pairs, of "
        f"which {sum(pairs)} matter; {asked.total()} places to check ({told(asked)}), {len(real)} discarded tracks are "
        f"faces, and {over} were hidden; {folded.total()} more folded away ({told(folded)}); {hidden} faces hidden by "
        f"the export itself; findings left after each export: {found}"
    )


def told(reasons: Counter[str]) -> str:
    """Return how often each reason comes, in words."""
    return ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())


def answer_pairs(me: Person, persons: dict[int, int | None]) -> None:
    """Answer the pairs that matter, one look each; an answer also settles others that follow from it."""
    while left := me.ask("review.suggestions().query('matters')[['face_id', 'other_id']].to_numpy().tolist()"):
        pair, position = left[0], me.ask("review.history_position")
        same = len({persons.get(int(face), face) for face in pair}) == 1
        me.look()
        me.click(me.find(f'.rk-card[data-key="p{pair[0]}-{pair[1]}"]'), position={"x": 20, "y": 20})
        me.press("y" if same else "x")
        me.wait(f"review.history_position > {position}")


def match(me: Person, truth: pd.DataFrame | None, table: str) -> dict[int, int | None]:
    """Return who each face of a table is by the truth, None for one that is nobody; nothing where none is known."""
    if truth is None:
        return {}
    columns = ["frame", "face_id", *BOX]
    found = pd.DataFrame(me.ask(f"review.{table}[{columns}].dropna().to_numpy().tolist()"), columns=columns)
    at = {
        frame: (rows["face_id"].to_numpy(), rows[BOX].to_numpy())
        for frame, rows in truth.dropna(subset=BOX).groupby("frame")
    }
    votes: dict[int, Counter[int]] = {int(face): Counter() for face in found["face_id"].unique()}
    for frame, rows in found.groupby("frame"):
        if frame in at:
            ids, boxes = at[frame]
            shared = iou(rows[BOX].to_numpy(), boxes)
            for face, best in zip(rows["face_id"], shared, strict=True):
                votes[int(face)].update([int(ids[best.argmax()])] if best.max() > 0.2 else [])
    return {face: next((person for person, _ in counts.most_common(1)), None) for face, counts in votes.items()}


def answer_places(me: Person, real: list[int]) -> None:
    """Answer places until none is left: gaps and leaks are covered, what was set aside and is a face is hidden."""
    while count := me.ask("room.check.left"):
        keys, here = me.ask(_OPEN), me.ask("room.check.cards.current")
        if here not in keys:
            here = keys[0]
            me.click(me.find(f'.rk-check-list .rk-card[data-key="{here}"]'), position={"x": 20, "y": 20})
            me.wait(f"room.check.cards.current == {here!r}")
        # A script is quicker than the page, which marks the card and hands the keys to the list.
        me.lab.page.wait_for_function(
            "key => document.activeElement?.matches('.rk-check-list .rk-cards-items')"
            " && document.querySelector('.rk-check-list .rk-current')?.dataset.key === key",
            arg=here,
        )
        card = me.ask(f"next(one for one in room.check.cards.items if one['key'] == {here!r})")
        if "crops" in card:
            answer_sheet(me, card, real)
        else:
            me.look()
            me.press("Enter" if covers(card) or is_face(here, real) else "f")
        me.wait("all(job.over.is_set() for job in room.runner.jobs)")
        me.wait(f"room.check.left < {count}", timeout=60)


def answer_sheet(me: Person, card: dict[str, Any], real: list[int]) -> None:
    """Answer a contact sheet: hide all of it as soon as a look shows a face, else call it fine, or no face."""
    crops = [crop["key"] for crop in card["crops"]]
    first = next((place for place, crop in enumerate(crops) if covers(card) or is_face(crop, real)), None)
    me.look_through(f'.rk-card[data-key="{card["key"]}"] .rk-crop', len(crops) if first is None else first + 1)
    if first is not None:
        me.press("Enter")
        return
    left, rounds = me.ask("room.check.left"), 0
    while me.ask("room.check.left") == left:  # what was not on the screen yet comes first
        me.press("n" if "sheet-no-face-all" in card["actions"] else "f")
        me.lab.page.wait_for_timeout(1500)
        rounds += 1
        assert rounds <= len(crops), f"the sheet {card['key']} took no answer"


def covers(card: dict[str, Any]) -> bool:
    """Tell whether the answer to a card or a sheet is more boxes."""
    more = ("fill", "on", "sheet-cover-all")
    return card["actions"][0] in more or card["key"].removeprefix("sheet ").startswith("leak")


def is_face(key: str, real: list[int]) -> bool:
    """Tell whether a place is one of a track that was set aside and is a face."""
    return key.startswith("discarded track") and int(key.split()[2]) in real


def export(me: Person, name: str) -> int:
    """Export with the leak check; return how much it found and did not hide."""
    with me.task(name):
        if me.ask("room.step == 'Check' and room.check.cards.current == 'nothing left'"):
            me.press("Enter")
            me.wait("room.step == 'Export'")
        me.step("Export")
        run_export(me)
    return len(me.ask(_LEAKS))


def run_export(me: Person) -> None:
    """Press Export, wait until the video is written and checked, and look at the verdict."""
    jobs = me.ask("len(room.runner.jobs)")
    me.click(me.find(".rk-redact .rk-run"))
    me.wait(f"len(room.runner.jobs) > {jobs} and {_OVER}", timeout=900)
    me.look()
    assert me.ask("room.runner.jobs[-1].state") == "done", me.ask("room.runner.jobs[-1].error")
    assert me.ask("room.runner.jobs[-1].result[0].output.stat().st_size") > 0


def decide(me: Person) -> None:
    """Decide about people by their cards: the longest track is left visible and named, the shortest is no face."""
    faces = me.ask("review.tracks.sort_values('frames').index.tolist()")
    false, longest = faces[0], faces[-1]
    with me.task("leave visible"):
        me.step("Who")
        me.look()
        me.card(longest)
        me.press("v")
        me.wait(f"{longest} not in review.selected_ids")
    with me.task("name"):
        me.card(longest)
        me.press("e")
        me.type("Ada")
        me.press("Enter")
        me.wait(f"review.decisions.loc[{longest}, 'label'] == 'Ada'")
    with me.task("remove a false face"):
        me.look()
        me.card(false)
        me.press("n")
        me.wait(f"{false} in set(review.discarded['face_id']) and {false} not in review.decisions.index")
    me.undo_to(0)


def edit_boxes(me: Person) -> None:
    """Work in the picture: every task begins at a frame where it can be done, by clicking a box."""
    frame, face, other = two_near(me)
    me.stand_on(frame)
    with me.task("merge two"):
        me.look()
        me.pick(face)
        me.click_box(other, held="Shift")
        me.wait(f"{other} in review.marked", timeout=30)
        me.press("m")
        me.wait(f"not {{ {face}, {other} }} <= set(review.decisions.index)")
    me.undo_to(0)
    me.stand_on(frame)
    width = me.ask(f"review.box_of({face})[2]")
    with me.task("enlarge"):
        me.pick(face)
        me.press("+")
        me.press("+")
        me.wait(f"review.box_of({face})[2] > {width} * 1.05")
    me.undo_to(0)
    count = me.ask("len(review.decisions)")
    with me.task("split"):
        me.look()
        me.press("s")
        me.wait(f"len(review.decisions) == {count + 1}")
    me.undo_to(0)
    me.stand_on(frame)
    with me.task("delete a range of 10 frames"):
        me.pick(face)
        me.press("x")
        me.press("Shift+ArrowRight")
        me.wait(f"review.current_frame == {frame + 10}")
        me.press("ArrowLeft")
        me.wait(f"review.current_frame == {frame + 9}")
        me.press("x")
        me.wait(f"not any(review.box_of({face}, frame=at) for at in range({frame}, {frame + 10}))")


def two_near(me: Person) -> tuple[int, int, int]:
    """Return a frame and two faces in it, the second the nearest below the first, each under its own centre alone."""
    columns = ["frame", "face_id", *BOX]
    table = pd.DataFrame(me.ask(f"review.detections[{columns}].dropna().to_numpy().tolist()"), columns=columns)
    shots = np.searchsorted(me.ask("review.cuts.tolist()"), table["frame"], side="right")
    for _, here in table.groupby([shots, "frame"]):
        frame = int(here["frame"].iloc[0])
        places = here[BOX].to_numpy()
        centres = places[:, :2] + places[:, 2:] / 2
        away = np.abs(centres[:, None] - centres[None]) <= places[None, :, 2:] / 2
        alone = np.flatnonzero(away.all(axis=2).sum(axis=1) == 1)
        ahead = table[table["frame"].between(frame - 1, frame + 12)].groupby("face_id").size()
        long = [row for row in alone if ahead[here["face_id"].iloc[row]] == 14]
        if len(alone) > 1 and long:
            face = min(long, key=lambda row: centres[row, 1])
            below = min(set(alone) - {face}, key=lambda row: float(np.abs(centres[row] - centres[face]).sum()))
            return frame, int(here["face_id"].iloc[face]), int(here["face_id"].iloc[below])
    raise RuntimeError("no frame has two faces apart, one of which is there before and for ten frames more")


def follow(me: Person) -> None:
    """Draw a box about a face that was deleted, with two seconds of its shot to come, and let it be followed.

    Where it is lost before, the person goes to the frame after and draws the box again, as often as needed.
    """
    position = me.ask("review.history_position")
    face = me.ask("int(review.tracks['frames'].idxmax())")
    first, rate = me.ask(f"int(review.tracks.loc[{face}, 'first_frame'])"), me.ask("float(review.video.frame_rate)")
    columns = ["frame", *BOX]
    rows = me.ask(f"review.detections.query('face_id == {face}')[{columns}].dropna().to_numpy().tolist()")
    boxes = {int(frame): box for frame, *box in rows}
    me.lab.kernel.run(f"review.delete_face({face})")
    at, last = first + 3, first + 3 + 2 * rate
    me.stand_on(at)
    with me.task("follow a new object for 2 s"):
        while True:
            followed = draw(me, boxes[at])
            if followed >= last - 1:
                break
            assert followed >= at, f"nothing was followed from frame {at} on"
            at = followed + 1
            me.click(me.find(".rk-front .rk-time"), click_count=3)  # its text is replaced
            me.type(str(at))
            me.press("Enter")
            me.wait(f"review.current_frame == {at}")
            me.lab.page.wait_for_selector(f'.rk-workbench .rk-front[data-frame="{at}"]')
    me.undo_to(position)


def draw(me: Person, box: list[float]) -> int:
    """Draw a box in the frame shown and let it be followed; return the last frame that it reached."""
    x, y, width, height = box
    faces, jobs = me.ask("review.decisions.index.tolist()"), me.ask("len(room.runner.jobs)")
    me.look()
    me.drag((x, y), (x + width, y + height))
    (new,) = me.wait(f"sorted(set(review.decisions.index) - set({faces}))")
    me.wait(f"len(room.runner.jobs) > {jobs} and {_OVER}")
    me.look()
    return int(me.ask(f"int(review.detections.query('face_id == {new}')['frame'].max())"))


def export_again(me: Person) -> None:
    """Export with ten frames of a face bare, which is not to be hidden by itself, and answer what was found."""
    with me.task("export, and hide nothing by itself"):
        me.step("Export")
        me.click(me.find(".rk-redact .rk-hide-found input"))
        me.wait("not room.redact.hide_found.value")
        run_export(me)
    leaks = len(me.ask(_LEAKS))
    assert leaks, "ten bare frames were not found"
    with me.task("act on a finding"):
        me.step("Check")
        me.look()
        me.press("Enter")
        me.wait(f"len({_LEAKS}) < {leaks}")


def as_markdown(table: pd.DataFrame) -> str:
    """Return the tasks as a table, with their sum."""
    lines = ["", f"| {' | '.join(table.columns)} |", f"|---|{'---:|' * (len(table.columns) - 1)}"]
    sums = table.drop(columns="task").sum()
    rows = [*table.itertuples(index=False, name=None), ("all", *sums)]
    lines += [
        f"| {task} | {' | '.join(f'{n:.0f}' for n in counts)} | {me:.1f} | {clock:.0f} |"
        for task, *counts, me, clock in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
