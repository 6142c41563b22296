"""Which tracks of a video may be one person: portraits and colours of each, and the pairs that are alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.analysis.appearance import DESCRIPTOR_LENGTH, describe
from redactkit.analysis.thumbnails import KeptCrops
from redactkit.annotations import Annotations
from redactkit.detectors import Detector
from redactkit.errors import VideoError
from redactkit.identities import as_pairs, frames_seen, seen_together
from redactkit.people.embedder import Embedder, LaterEmbedder, has_default, load_embedder
from redactkit.people.matching import colour_pairs, face_pairs
from redactkit.people.portraits import LandmarkFinder, boxes_of, pick_candidates
from redactkit.people.vectors import FaceVectors, PortraitTaker, mean_colours
from redactkit.runtime.kinds import FACE
from redactkit.runtime.progress import ProgressLike, track
from redactkit.video import VideoReader

__all__ = ["choose_embedder", "find_pairs"]


def choose_embedder(embedder: str | Path | Embedder | None) -> Embedder | None:
    """Return the embedder to use: the one given, else the default one where its weights are installed, else None.

    Raises
    ------
    DetectorError
        If the one named cannot be loaded.
    """
    if embedder is None:
        return LaterEmbedder() if has_default() else None
    return load_embedder(embedder) if isinstance(embedder, str | Path) else embedder


def find_pairs(
    reader: VideoReader,
    annotations: Annotations,
    *,
    embedder: Embedder | None,
    detector: Detector,
    crops: KeptCrops | None = None,
    later: Sequence[int] = (),
    progress: ProgressLike = False,
) -> tuple[pd.DataFrame, FaceVectors]:
    """Find pairs of tracks that may be one person.

    Parameters
    ----------
    reader : VideoReader
    annotations : Annotations
        Of its video.
    embedder : Embedder or None
        Without one, only colours of heads and clothes suggest pairs, within a shot and its neighbours.
    detector : Detector
        That of the analysis; where it finds landmarks, no other is loaded for them.
    crops : KeptCrops, optional
        Parts of frames kept by the analysis; only for tracks that have none frames are decoded.
    later : sequence of int
        Frames of which the caller will ask the reader afterwards. They are decoded on the way, and kept for it.
    progress : bool or callable
        See `redactkit.runtime.progress.track`.

    Returns
    -------
    pairs : DataFrame
        Columns of `redactkit.identities.PAIRS`.
    vectors : FaceVectors
        Those that are ``waiting`` where no two tracks could be one person and the default embedder would have to be
        loaded: they are made when other clips are compared with this one.
    """
    detections, cuts = annotations.detections, annotations.cuts
    faces = detections[detections["kind"] == FACE]
    taker = None if embedder is None else PortraitTaker(embedder, finder=LandmarkFinder(detector))
    histograms = [np.zeros((0, DESCRIPTOR_LENGTH), np.uint8)]
    owners: list[int] = []
    for picture, corner, rows in _pictures(reader, faces, crops or KeptCrops(), later, progress):
        if taker is not None:
            taker.see(picture, rows, corner=corner)
        histograms.append(describe(picture, boxes_of(rows) - [*corner, 0, 0]))
        owners += rows["face_id"].tolist()
    vectors = FaceVectors()
    if taker is not None:
        # Loading the network takes a tenth of a short video's analysis, so it waits until there are two to compare.
        wait = isinstance(embedder, LaterEmbedder) and not _may_be_one(taker.faces, faces, cuts)
        vectors = taker.finish(wait=wait)
    ids, mean = mean_colours(owners, np.concatenate(histograms))
    pairs = [
        face_pairs(vectors, faces, cuts=cuts),
        colour_pairs(ids, mean, faces, cuts=cuts, besides=np.unique(vectors.face_id)),
    ]
    return as_pairs(pd.concat(pairs, ignore_index=True)), vectors


def _may_be_one(faces: list[int], detections: pd.DataFrame, cuts: NDArray[np.int64]) -> bool:
    """Return whether any two of these tracks are never seen at once."""
    seen = frames_seen(detections, cuts=cuts, faces=faces)
    return any(not seen_together(seen, [one], [other]) for one, other in combinations(faces, 2))


def _pictures(
    reader: VideoReader, faces: pd.DataFrame, crops: KeptCrops, later: Sequence[int], progress: ProgressLike
) -> Iterator[tuple[NDArray[np.uint8], tuple[int, int], pd.DataFrame]]:
    """Yield pictures of good boxes of every track: parts of frames that were kept, or whole frames decoded for it."""
    near = faces[faces["frame"].isin(crops.frames)]
    there = [crops.shows(int(frame), box) for frame, box in zip(near["frame"], boxes_of(near), strict=True)]
    kept = pick_candidates(near[np.array(there, bool)])
    shown = set()
    for number, box in enumerate(boxes_of(kept)):
        found = crops.around(int(kept["frame"].iloc[number]), box)
        if found is not None:
            shown.add(int(kept["face_id"].iloc[number]))
            yield found[0], (found[1], found[2]), kept.iloc[[number]]
    left = faces[~faces["face_id"].isin(shown)]
    candidates = pick_candidates(left) if len(left) else left
    with track(progress, "people", total=len(candidates)) as update:
        by_frame = {int(str(frame)): rows for frame, rows in candidates.groupby("frame")}
        for frame in sorted({*by_frame, *later}):
            try:
                decoded = reader.frame_at(frame)
            except VideoError:
                continue
            if frame in later:
                reader.keep(decoded)
            if frame in by_frame:
                yield decoded.rgb(), (0, 0), by_frame[frame]
                update(len(by_frame[frame]))
