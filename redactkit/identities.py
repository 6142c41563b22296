"""Which tracks are one person: pairs that may be, what the analyst answered, and the table of people.

Nothing here joins tracks by itself. A pair is a suggestion until it is answered; a person is what answers have joined,
the column ``person_id`` of ``decisions``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.errors import OptionError, TableError
from redactkit.tables import FaceIds, as_decisions, known_face_ids

__all__ = [
    "ANSWERS",
    "PAIRS",
    "PEOPLE",
    "answer_pair",
    "as_pairs",
    "check_one_person",
    "empty_pairs",
    "faces_of_people",
    "frames_seen",
    "join_people",
    "joined_faces",
    "joined_pairs",
    "open_pairs",
    "part_people",
    "parted_pairs",
    "rename_face",
    "seen_together",
    "summarize_people",
]

IntArray = NDArray[np.int64]

PAIRS: dict[str, Any] = {
    "face_id": "int64",
    "other_id": "int64",
    "similarity": "float64",
    "sure": "bool",
    "basis": "object",
    "answer": "object",
}

ANSWERS = ("", "same", "different")
"""What may have been answered about a pair; "" is nothing yet."""

PEOPLE: dict[str, Any] = {
    "faces": "object",
    "tracks": "int64",
    "first_frame": "int64",
    "last_frame": "int64",
    "start": "float64",
    "end": "float64",
    "seconds": "float64",
    "best_face": "int64",
    "thumbnail": "object",
    "decision": "object",
    "label": "object",
    "reason": "object",
}

NEAR_CUT_FRAMES = 6
"""Frames on either side of a shot boundary that tell nothing of who is seen at once: a dissolve shows two shots."""


def empty_pairs() -> pd.DataFrame:
    """Return a table of pairs with no rows but all its columns and dtypes."""
    return as_pairs({})


def as_pairs(data: Any) -> pd.DataFrame:
    """Build a table of pairs: the lower ID first, each pair once, the most alike first.

    Parameters
    ----------
    data : mapping of columns, or DataFrame
        ``face_id`` and ``other_id``; what is missing of the rest is filled: ``similarity`` NaN, ``sure`` False,
        ``basis`` and ``answer`` "".

    Raises
    ------
    TableError
        If there are rows without IDs, an answer is unknown, or a column cannot take its dtype.

    Examples
    --------
    >>> as_pairs({"face_id": [4, 1], "other_id": [2, 4], "similarity": [0.6, 0.9]})[["face_id", "other_id"]].to_numpy()
    array([[1, 4],
           [2, 4]])
    """
    frame = pd.DataFrame(data)
    if len(frame) and not {"face_id", "other_id"} <= set(frame):
        raise TableError("a table of pairs needs the columns face_id and other_id; add them")
    fill: dict[str, Any] = {"similarity": np.nan, "sure": False, "basis": "", "answer": ""}
    columns = {
        name: frame[name].to_numpy() if name in frame else np.full(len(frame), fill.get(name, 0)) for name in PAIRS
    }
    unknown = set(columns["answer"]) - set(ANSWERS)
    if unknown:
        raise TableError(f"the answer about a pair must be one of {list(ANSWERS)}, got {sorted(map(str, unknown))}")
    try:
        table = pd.DataFrame(columns).astype(PAIRS)
    except (TypeError, ValueError) as err:
        raise TableError(f"a column of pairs cannot take its dtype ({err}); expected {PAIRS}") from err
    ids = np.sort(table[["face_id", "other_id"]].to_numpy(), axis=1)
    table = table.assign(face_id=ids[:, 0], other_id=ids[:, 1])[ids[:, 0] != ids[:, 1]]
    # An answer outlives what nobody has answered.
    table = table.assign(open=table["answer"] == "")
    order = ["open", "similarity", "face_id", "other_id"]
    table = table.sort_values(order, ascending=[True, False, True, True], kind="stable")
    table = table.drop_duplicates(["face_id", "other_id"]).sort_values(order[1:], ascending=[False, True, True])
    pairs: pd.DataFrame = table[list(PAIRS)].reset_index(drop=True)
    return pairs


def answer_pair(pairs: pd.DataFrame, face_id: int, other_id: int, *, answer: str) -> pd.DataFrame:
    """Return the pairs with one answered; a pair that was never suggested is added."""
    said = as_pairs({"face_id": [face_id], "other_id": [other_id], "answer": [answer]})
    before = _find(pairs, face_id, other_id)
    said = said if not before.any() else pairs[before].assign(answer=answer)
    return as_pairs(pd.concat([pairs[~before], said], ignore_index=True))


def _find(pairs: pd.DataFrame, face_id: int, other_id: int) -> NDArray[np.bool_]:
    low, high = sorted((face_id, other_id))
    return np.asarray((pairs["face_id"] == low) & (pairs["other_id"] == high))


def rename_face(pairs: pd.DataFrame, old: int, new: int) -> pd.DataFrame:
    """Return the pairs with one face called otherwise, as after a merge."""
    ids = {name: pairs[name].replace(old, new) for name in ("face_id", "other_id")}
    return as_pairs(pairs.assign(**ids))


def join_people(decisions: pd.DataFrame, faces: FaceIds) -> pd.DataFrame:
    """Make one person of all tracks of the people that ``faces`` belong to.

    Where their decisions differ all are redacted, until the analyst decides about the person. The first label holds.

    Raises
    ------
    OptionError
        If no face has one of the IDs.
    """
    ids = known_face_ids(faces, decisions.index, name="faces")
    mine = decisions["person_id"].isin(decisions.loc[ids, "person_id"])
    rows = decisions[mine]
    changes: dict[str, Any] = {"person_id": int(rows["person_id"].min())}
    if rows["redact"].nunique() > 1:
        changes |= {"redact": True, "reason": ""}
    changes["label"] = next((text for text in rows["label"] if text), "")
    table = decisions.copy()
    for name, value in changes.items():
        table.loc[mine, name] = value
    return as_decisions(table)


def part_people(decisions: pd.DataFrame, faces: FaceIds) -> pd.DataFrame:
    """Make each of these faces a person of its own; the others of its person stay together. Decisions stay.

    Raises
    ------
    OptionError
        If no face has one of the IDs.
    """
    ids = known_face_ids(faces, decisions.index, name="faces")
    person = decisions["person_id"].astype("object")
    person.loc[ids] = np.nan
    return as_decisions(decisions.assign(person_id=person))


def joined_pairs(pairs: pd.DataFrame, decisions: pd.DataFrame, face_id: int) -> pd.DataFrame:
    """Return the pairs as they are once tracks are joined: every pair within the person of a face is answered by it."""
    mine = decisions.index[decisions["person_id"] == decisions["person_id"][face_id]]
    within = pairs["face_id"].isin(mine) & pairs["other_id"].isin(mine)
    return pairs.assign(answer=pairs["answer"].mask(within, "same"))


def parted_pairs(pairs: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs as they are once tracks are parted: those that no longer are the same are different."""
    person, other = (decisions["person_id"].reindex(pairs[name]).to_numpy() for name in ("face_id", "other_id"))
    parted = (pairs["answer"] == "same") & (person != other)
    return pairs.assign(answer=pairs["answer"].mask(parted, "different"))


def joined_faces(decisions: pd.DataFrame) -> dict[int, int]:
    """Return the person of each track that is one person with others.

    Examples
    --------
    >>> joined_faces(as_decisions({1: {"person_id": 4}, 3: {"person_id": 4}, 5: {}}))
    {1: 1, 3: 1}
    """
    person = decisions["person_id"]
    several = person[person.map(person.value_counts()) > 1]
    return {int(face): int(one) for face, one in zip(several.index, several, strict=True)}


def faces_of_people(decisions: pd.DataFrame, people: FaceIds) -> list[int]:
    """Return the tracks of some people, who are called as in the table of people.

    Raises
    ------
    OptionError
        If there is no such person.
    """
    ids = known_face_ids(people, decisions["person_id"].unique(), name="people")
    return [int(face) for face in decisions.index[decisions["person_id"].isin(ids)]]


def frames_seen(detections: pd.DataFrame, *, cuts: NDArray[Any], faces: Iterable[int]) -> dict[int, IntArray]:
    """Return for each face the frames in which it surely is seen, ascending.

    Boxes that were only filled in do not count, nor those beside a shot boundary, where two shots may show at once.
    """
    rows = detections[detections["face_id"].isin(list(faces)) & (detections["source"] != "interpolated")]
    frame, edges = rows["frame"].to_numpy(), np.sort(np.asarray(cuts, np.int64))
    after = np.searchsorted(edges, frame, side="right")
    padded = np.concatenate([[-(2**40)], edges, [2**40]])
    near = np.minimum(frame - padded[after], padded[after + 1] - frame) <= NEAR_CUT_FRAMES
    kept = rows[["face_id", "frame"]][~near]
    return {int(face): np.unique(mine.to_numpy()) for face, mine in kept.groupby("face_id")["frame"]}


def seen_together(seen: Mapping[int, IntArray], faces: Iterable[int], others: Iterable[int]) -> bool:
    """Return whether a frame shows one of ``faces`` and one of ``others``: they cannot be one person."""
    first, second = (_union(seen, ids) for ids in (faces, others))
    return bool(len(first) and len(second) and np.isin(first, second, assume_unique=True).any())


def _union(seen: Mapping[int, IntArray], faces: Iterable[int]) -> IntArray:
    found = [seen[face] for face in faces if face in seen]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def open_pairs(
    pairs: pd.DataFrame, decisions: pd.DataFrame, *, detections: pd.DataFrame, cuts: NDArray[Any], sure: bool = False
) -> pd.DataFrame:
    """Return the pairs that still are to be answered, the most alike first, one for any two people.

    Left out are those answered, those whose tracks are one person by now, those of whom others of the same two people
    were said to be different, those whose people are seen at once, and with ``sure`` those that are not called sure.
    """
    pairs = pairs[pairs["face_id"].isin(decisions.index) & pairs["other_id"].isin(decisions.index)]
    if pairs.empty:
        return empty_pairs()
    person = decisions["person_id"]
    people = pd.DataFrame({name: pairs[name].map(person) for name in ("face_id", "other_id")})
    keys = [frozenset(key) for key in people.itertuples(index=False, name=None)]
    different = {key for key, answer in zip(keys, pairs["answer"], strict=True) if answer == "different"}
    of_person = {int(str(key)): mine.index.tolist() for key, mine in decisions.groupby("person_id")}
    wanted = {face for key in set(keys) for one in key for face in of_person[int(one)]}
    seen = frames_seen(detections, cuts=cuts, faces=wanted)
    done: set[frozenset[Any]] = set(different)
    kept = []
    for key, answer in zip(keys, pairs["answer"], strict=True):
        ok = len(key) == 2 and key not in done and answer == ""
        if ok:
            done.add(key)
            ok = not seen_together(seen, *(of_person[int(one)] for one in sorted(key)))
        kept.append(ok)
    found = pairs[np.array(kept, bool)]
    return (found[found["sure"]] if sure else found).reset_index(drop=True)


def check_one_person(decisions: pd.DataFrame, faces: FaceIds, *, detections: pd.DataFrame, cuts: NDArray[Any]) -> None:
    """Refuse to call people one who are seen in one frame.

    Raises
    ------
    OptionError
        If they are, or no face has one of the IDs.
    """
    ids = known_face_ids(faces, decisions.index, name="faces")
    people = list(dict.fromkeys(decisions.loc[ids, "person_id"]))
    groups = [decisions.index[decisions["person_id"] == one].tolist() for one in people]
    seen = frames_seen(detections, cuts=cuts, faces=[face for group in groups for face in group])
    for number, group in enumerate(groups):
        for other in groups[number + 1 :]:
            if seen_together(seen, group, other):
                raise OptionError(
                    f"faces {_listed(group)} and {_listed(other)} are seen at once, so they are two people; if both "
                    "boxes lie on one face, merge the faces instead"
                )


def _listed(faces: list[int]) -> str:
    return ", ".join(map(str, faces[:6])) + (", ..." if len(faces) > 6 else "")


def summarize_people(tracks: pd.DataFrame, *, frame_rate: float) -> pd.DataFrame:
    """Summarise tracks to one row per person.

    Parameters
    ----------
    tracks : DataFrame
        Columns of `redactkit.tables.TRACKS`.
    frame_rate : float
        Frames per second.

    Returns
    -------
    DataFrame
        Index ``person_id`` in ascending order, columns of `PEOPLE`. ``seconds`` is how long the person is seen in all;
        ``best_face`` the track with the largest faces, whose thumbnail is shown; ``decision`` is ``redact``,
        ``visible`` or, where tracks differ, ``mixed``.

    Examples
    --------
    >>> from redactkit.tables import as_detections, summarize_tracks
    >>> rows = {"frame": [0, 1, 9], "face_id": [1, 1, 2], "x": 0, "y": 0, "width": 9, "height": 9}
    >>> tracks = summarize_tracks(as_detections(rows), as_decisions({1: {"person_id": 1}, 2: {"person_id": 1}}))
    >>> summarize_people(tracks, frame_rate=25)[["faces", "seconds", "decision"]].to_dict("index")
    {1: {'faces': (1, 2), 'seconds': 0.12, 'decision': 'redact'}}
    """
    area = tracks["median_width"].to_numpy() * tracks["median_height"].to_numpy()
    table = tracks.reset_index().assign(area=area, shown=tracks["thumbnail"].notna().to_numpy())
    people = table.groupby("person_id", sort=True)
    best = table.sort_values(["person_id", "shown", "area"], kind="stable").groupby("person_id", sort=True).tail(1)
    redacted, visible = people["redact"].any(), ~people["redact"].all()
    summary = pd.DataFrame(
        {
            "faces": people["face_id"].agg(tuple) if len(table) else [],
            "tracks": people.size(),
            "first_frame": people["first_frame"].min(),
            "last_frame": people["last_frame"].max(),
            "start": people["start"].min(),
            "end": people["end"].max(),
            "seconds": people["frames"].sum() / frame_rate,
            "best_face": best["face_id"].to_numpy(),
            "thumbnail": best["thumbnail"].to_numpy(),
            "decision": np.select([redacted & visible, redacted], ["mixed", "redact"], "visible"),
            **{name: _first_text(table, name).reindex(redacted.index, fill_value="") for name in ("label", "reason")},
        },
        index=redacted.index.astype("int64"),
    )
    return summary[list(PEOPLE)].astype(PEOPLE)


def _first_text(table: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return what is said first of each person."""
    return table[table[name] != ""].drop_duplicates("person_id").set_index("person_id")[name]
