"""The analyst's session over one video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from redactkit.annotations import Annotations, annotations_name, show_annotations
from redactkit.errors import OutputExistsError
from redactkit.formats import check_same_video, id_list_name, write_annotations, write_ids
from redactkit.formats.ids import remove_ids
from redactkit.review.following import Following
from redactkit.review.navigation import nearest, stops
from redactkit.review.people import PeopleCommands
from redactkit.review.relevance import Listed, places_matter
from redactkit.runtime.files import Stamp, check_output, fit_name, make_private, may_write, stamp
from redactkit.runtime.html import show
from redactkit.runtime.partial_files import sweep_partial_files
from redactkit.runtime.resources import is_shipped
from redactkit.tables import BOX, FaceIds, as_face_ids, empty_detections, frame_rows
from redactkit.tracking import review_queue
from redactkit.video import VideoReader

__all__ = ["Review"]

Picture = NDArray[np.uint8]


class _Marked(traitlets.Tuple):
    """Face IDs in any form, kept as a tuple."""

    def validate(self, obj: Any, value: Any) -> Any:
        return super().validate(obj, tuple(as_face_ids(value, name="marked")))


class Review(Following, PeopleCommands):
    """An analyst's session over one video's annotations.

    Every edit is a method, can be undone, and is seen by all views at once. The tables are replaced whole,
    never changed in place; assigning to ``detections`` or ``decisions`` is an edit too. Safe to use
    from several threads.

    Parameters
    ----------
    annotations : Annotations
    frames : callable, optional
        From a frame's number to its picture: a uint8 array of shape (H, W, 3) in RGB, or a
        `redactkit.video.Frame`. Without it pictures are grey.
    autosave : path, optional
        File to which each edit is added as it is made; if it is there, the session goes on from it.

    Attributes
    ----------
    current_frame : int
        Clipped to the frames there are.
    current_face : int or None
    marked : tuple of int
        Faces picked together, to be merged or decided at once.
    queue : DataFrame or None
        What is to be looked at instead of `to_review`'s own list, with a column ``frame``.
    blur, margin, strength, shape : str, float, float, str
        How the redacted picture is previewed and made, where a decision has no look of its own.
    detections, decisions, discarded, pairs : DataFrame
    revision : int
        Counts up after each change of a table; views observe it.
    history : tuple of str
        Names of all edits that can be undone or redone.
    history_position : int
        Edits of ``history`` that hold now; those after are undone.
    lock : threading.RLock
        Held while tables change.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from redactkit.media import VideoInfo
    >>> video = VideoInfo(None, 64, 48, Fraction(25), Fraction(1, 25), range(10))
    >>> review = Review(Annotations(video, empty_detections()))
    >>> face = review.add_face([10, 10, 8, 8], frame=3)
    >>> review.selected_ids, review.history
    ([1], ('face 1 added in frame 3',))
    >>> review.undo()
    >>> len(review.detections)
    0
    """

    marked = _Marked()
    queue = traitlets.Instance(pd.DataFrame, allow_none=True)
    blur = traitlets.Unicode("Med")
    margin = traitlets.Float(0.15, min=0.0, max=2.0)
    strength = traitlets.Float(1.0, min=1.0, max=10.0)
    shape = traitlets.Enum(("rectangle", "ellipse"), "rectangle")

    def __init__(
        self,
        annotations: Annotations,
        *,
        frames: Callable[[int], Any] | None = None,
        autosave: str | Path | None = None,
    ) -> None:
        self.reader: VideoReader | None = None
        self.folder: Path | None = None
        self._frames = frames
        self._own: dict[Path, Stamp] = {}
        self._listed: Listed | None = None
        super().__init__(annotations, autosave=autosave)

    @classmethod
    def open(
        cls,
        video: str | Path,
        annotations: Annotations | str | Path | None = None,
        *,
        autosave: str | Path | None = None,
        force: bool = False,
    ) -> Self:
        """Open a session on a video.

        Parameters
        ----------
        video : path
        annotations : Annotations or path, optional
            Without them the session begins with no face.
        autosave : path, optional
            See `Review`.
        force : bool
            Take annotations that were made from another video; boxes are scaled to this one's size.

        Raises
        ------
        VideoError
            If the video cannot be read.
        MismatchError
            If the annotations were made from another video, unless ``force``.
        """
        reader = VideoReader(video)
        try:
            given = Annotations(reader.info, empty_detections()) if annotations is None else annotations
            fitted = check_same_video(reader.info, given, force=force)
            review = cls(fitted, frames=reader.frame_at, autosave=autosave)
        except BaseException:
            reader.close()
            raise
        review.reader = reader
        if isinstance(annotations, str | Path):
            review._settle(Path(annotations).parent, Path(annotations))
        return review

    def __repr__(self) -> str:
        faces, chosen = len(self.decisions), len(self.selected_ids)
        edits = f"{self.history_position} edits"
        place = f"at frame {self.current_frame} of {self.frame_count}"
        return f"<Review: {self.video.name or 'no video'}, {faces} faces, {chosen} redacted, {edits}, {place}>"

    def _repr_html_(self) -> str:
        shown = show_annotations(self.annotations, frame=self.current_frame, edits=self.history_position)
        return show("Review", shown)

    def close(self) -> None:
        """Close the video; pictures are grey from now on."""
        with self.lock:
            self._frames = None
            if self.reader is not None:
                self.reader.close()
                self.reader = None

    @traitlets.validate("current_frame")
    def _clip_frame(self, proposal: Any) -> int:
        return int(min(max(proposal["value"], 0), self.frame_count - 1))

    @property
    def tracks(self) -> pd.DataFrame:
        """One row per face, columns of `redactkit.tables.TRACKS`; a fresh copy.

        A thumbnail's path is given only where the face still is the one it was made from.
        """
        tracks = super().tracks
        before = self._thumbnails.reindex(tracks.index)
        same = (before["best_frame"] == tracks["best_frame"]).to_numpy()
        return tracks.assign(thumbnail=before["thumbnail"].astype("object").where(same, None))

    def load(self, annotations: Annotations) -> None:
        """Begin anew with other annotations of the same video; earlier edits can no longer be undone."""
        tracks = annotations.tracks
        self._thumbnails = tracks[["best_frame", "thumbnail"]]
        super().load(annotations)
        with self.lock:
            if not self._past.changes:
                self._summary = tracks  # need not be computed again
        if annotations.thumbnails is not None:
            self._settle(Path(annotations.thumbnails))
        self.marked = ()
        self.current_face = None
        self.current_frame = min(self.current_frame, self.frame_count - 1)

    def boxes_at(self, frame: int | None = None) -> pd.DataFrame:
        """Return the rows of one frame, the current one where left out."""
        number = self.current_frame if frame is None else frame
        table = self.detections
        return table.iloc[frame_rows(table["frame"].to_numpy(), number)]

    def box_of(self, face_id: int | None = None, *, frame: int | None = None) -> list[float] | None:
        """Return a face's x, y, width, height in a frame, None where it has no box."""
        rows = self.boxes_at(frame)
        mine = rows[(rows["face_id"] == (self.current_face if face_id is None else face_id)).to_numpy()]
        return [float(value) for value in mine[BOX].to_numpy()[0]] if len(mine) else None

    def picture(self, frame: int | None = None, *, width: int | None = None, height: int | None = None) -> Picture:
        """Return a frame's picture as displayed, scaled where a size is given; shape (H, W, 3), uint8, RGB."""
        frames, number = self._frames, self.current_frame if frame is None else frame
        if frames is None:
            return np.full((height or self.video.height, width or self.video.width, 3), 96, np.uint8)
        found = frames(number)
        return _scaled(found, width, height) if isinstance(found, np.ndarray) else found.rgb(width=width, height=height)

    def seek(self, kind: str, *, direction: int = 1) -> int | None:
        """Go to the next (or, with a negative ``direction``, the last) frame of a kind.

        Parameters
        ----------
        kind : str
            A key of `redactkit.review.navigation.STOPS` ("face", "edge", "empty", "box", "keyframe", "gap"), or
            "queue": the places of `to_review` where an answer could matter, whose face becomes the current one.

        Returns
        -------
        int or None
            The frame gone to; None if there is none, and nothing changes.
        """
        if kind == "queue":
            return self._seek_queue(direction)
        found = stops(kind, self.detections, face_id=self.current_face, frame_count=self.frame_count)
        frame = nearest(found, self.current_frame, direction=direction)
        if frame is not None:
            self.current_frame = frame
        return frame

    def to_review(self) -> pd.DataFrame:
        """Return what is to be looked at, the riskiest first, and where an answer could matter.

        Returns
        -------
        DataFrame
            Columns of `redactkit.tracking.review_queue`, or of ``queue``; and ``matters``: whether an answer could
            change what the redacted video shows, see `redactkit.review.relevance`.
        """
        with self.lock:
            given, tables = self.queue, (self.detections, self.discarded, self.decisions)
        known = self._listed
        if known is not None and known.is_of(given, *tables):
            return known.listed
        # Not under the lock: on a large table it takes longer than an edit may wait.
        found = known.found if known is not None and known.is_of(given, *tables[:2]) else given
        if found is None:
            found = review_queue(
                tables[0],
                video_size=(self.video.width, self.video.height),
                frame_count=self.frame_count,
                cuts=self.cuts,
                discarded=tables[1],
            )
        matters = places_matter(found, detections=tables[0], discarded=tables[1], decisions=tables[2])
        self._listed = Listed((given, *tables), found, found.assign(matters=matters))
        return self._listed.listed

    def _seek_queue(self, direction: int) -> int | None:
        """Go to the next place to look at where an answer could matter, and make its face the current one."""
        queue = self.to_review()
        queue = queue[queue["matters"].to_numpy()]
        frame = nearest(np.unique(queue["frame"].to_numpy(np.int64)), self.current_frame, direction=direction)
        if frame is not None:
            self.current_frame = frame
            faces = queue.loc[queue["frame"] == frame, "face_id"].tolist() if "face_id" in queue else []
            if faces and faces[0] in self.decisions.index:
                self.current_face = int(faces[0])
        return frame

    def step(self, frames: int) -> None:
        """Go forward by some frames, back where negative."""
        self.current_frame = self.current_frame + frames

    def go_to_face(self, face_id: int) -> None:
        """Make a face the current one and go to its first box."""
        frames = stops("face", self.detections, face_id=face_id, frame_count=self.frame_count)
        self.current_face = face_id
        if frames.size:
            self.current_frame = int(frames[0])

    def select(self, ids: FaceIds) -> None:
        """Redact these faces and only these; an empty list selects every face, as a blank ID list does.

        Raises
        ------
        OptionError
            If an ID is no whole number, or no face has it.
        """
        chosen = self.annotations.select(ids)
        self.edit(f"{len(chosen.selected_ids)} faces selected by ID list", decisions=chosen.decisions)

    def save(self, folder: str | Path | None = None, *, overwrite: bool = False) -> Path:
        """Write ``foo_annotations.json`` and ``foo_IDList.txt``; return the path of the first.

        Where every face is left visible no ID list is written, since a blank one means every face.

        Parameters
        ----------
        folder : path, optional
            Where the annotations came from, else ``foo_analysis`` beside the video.
        overwrite : bool
            Replace files there that this session neither came from nor wrote.

        Raises
        ------
        OutputExistsError
            If a file is there, is not this session's own or was changed by somebody else since, and ``overwrite``
            is false.
        """
        home = Path(folder) if folder is not None else self.home
        target, ids = files = self._files(make_private(home))
        sweep_partial_files(home)
        with self.lock:
            saved = self.annotations
            may = {file: overwrite or file in self._own for file in files}
            changed = [file for file in files if file in self._own and stamp(file) not in (None, self._own[file])]
            if changed and not overwrite:
                raise OutputExistsError(
                    f"{changed[0]} was written by another session since this one opened it; save to another folder, "
                    "or replace it (overwrite=True)"
                )
            for file in files if saved.selected_ids else [target]:
                check_output(file, overwrite=may[file])
            if self._journal is not None:
                self._journal.announce(self._state)
            # The list goes first: stopped between the two, the new list is for the old faces or is refused with
            # them, but an old list with new annotations would undo what was decided since.
            if saved.selected_ids:
                write_ids(ids, saved.selected_ids, annotations=saved, overwrite=may[ids])
            elif may[ids]:
                remove_ids(ids)
            write_annotations(saved, target, overwrite=may[target])
            self._own |= {file: stamp(file) for file in files}
            if self._journal is not None:
                self._journal.restart(self._state)
        return target

    @property
    def home(self) -> Path:
        """The folder of this session's files: where the annotations came from, else ``foo_analysis`` at the video.

        For the clip that comes with redactkit, and where nothing can be written, ``redactkit-output/foo_analysis`` in
        the working directory.
        """
        path = self.video.path or Path("video")
        return self.writable(self.folder or path.with_name(fit_name(path.stem, "_analysis")))

    def writable(self, folder: Path) -> Path:
        """Return a folder, or that of this video in the working directory where nothing may be written to it."""
        if may_write(folder) and not is_shipped(folder):
            return folder
        stem = self.video.path.stem if self.video.path else "video"
        return Path("redactkit-output", fit_name(stem, "_analysis")).absolute()

    def _files(self, folder: Path) -> tuple[Path, Path]:
        """Return the paths of annotations and ID list in a folder."""
        stem = self.video.path.stem if self.video.path else "video"
        return (folder / annotations_name(stem)).absolute(), (folder / id_list_name(stem)).absolute()

    def _settle(self, folder: Path, came_from: Path | None = None) -> None:
        """Remember where the annotations came from: those files are this session's to replace.

        A file of another name beside them holds what somebody else decided.
        """
        self.folder = folder
        files = self._files(folder)
        if came_from is None or came_from.absolute() == files[0]:
            self._own |= {file: stamp(file) for file in files}


def _scaled(picture: Picture, width: int | None, height: int | None) -> Picture:
    if width is None and height is None:
        return picture
    import cv2

    size = (width or picture.shape[1], height or picture.shape[0])
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
