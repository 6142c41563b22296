"""The ID list: the faces to redact, in the form in which the original system keeps them."""

from __future__ import annotations

import ipywidgets

from redactkit.errors import OptionError
from redactkit.formats import faces_of_list, id_list_name, write_ids
from redactkit.review import Review
from redactkit.widgets.markup import escape
from redactkit.widgets.view import View, button, row

__all__ = ["IdList"]

_COPY = (
    "const area = this.closest('.rk-ids').querySelector('textarea'); area.disabled = false; area.select(); "
    "document.execCommand('copy'); area.disabled = true; this.textContent = 'Copied'; "
    "setTimeout(() => {this.textContent = 'Copy'}, 1500)"
)
_NONE = "No face is ticked. A blank list would mean every face, so none is written; the annotations hold the decision."


class IdList(View):
    """The IDs of the faces to redact, one a line, read only; with copy, save and load.

    Parameters
    ----------
    review : Review
    height : str
        CSS height of the list.

    Examples
    --------
    >>> IdList(review)  # doctest: +SKIP
    """

    def __init__(self, review: Review, *, height: str = "220px") -> None:
        super().__init__(review, css="rk-ids")
        self.text = ipywidgets.Textarea(disabled=True, layout={"width": "140px", "height": height})
        self.text.add_class("rk-id-text")
        self.note = ipywidgets.HTML()
        copy = ipywidgets.HTML(
            f'<button class="jupyter-button rk-copy-ids" style="width:64px" title="copy the list" '
            f'onclick="{escape(_COPY)}">Copy</button>'
        )
        self.path = ipywidgets.Text(
            str(self._default_path()), placeholder="foo_IDList.txt", layout={"width": "330px"}, continuous_update=False
        )
        self.path.add_class("rk-id-path")
        save, load = (
            button("", "write the list to this file", text="Save", css="rk-save-ids"),
            button("", "redact the faces that this file lists, and only those", text="Load", css="rk-load-ids"),
        )
        save.on_click(self.press(self.save))
        load.on_click(self.press(self.load))
        self.overwrite = ipywidgets.Checkbox(description="replace a file that is there", indent=False)
        side = ipywidgets.VBox([self.note, copy, self.path, row(save, load), self.overwrite])
        self.show(row(self.text, side))
        worker = self.worker(self.refresh, interval=0.05)
        self.watch(lambda _: worker.submit(), "revision")
        self.refresh()

    def _default_path(self) -> object:
        video = self.review.video.path
        return "" if video is None else (self.review.folder or video.parent) / id_list_name(video.stem)

    def refresh(self) -> None:
        """Show the list as the review is now."""
        ids = self.review.ids
        self.text.value = ids
        count, faces = ids.count("\n"), len(self.review.decisions)
        self.note.value = escape(f"{count} of {faces} faces will be redacted." if count or not faces else _NONE)

    def save(self) -> None:
        """Write the list to the file named."""
        annotations = self.review.annotations
        if not annotations.selected_ids:
            raise OptionError(_NONE)
        write_ids(self._path(), annotations.selected_ids, annotations=annotations, overwrite=self.overwrite.value)
        self.say(f"saved {self._path()}")

    def load(self) -> None:
        """Redact the faces that the file named lists, and only those; a list of other annotations is refused."""
        ids = faces_of_list(self._path(), self.review.annotations)
        self.review.select(ids)
        self.say(f"loaded {len(ids)} IDs" if ids else "the list is blank: every face is redacted")

    def _path(self) -> str:
        if not self.path.value.strip():
            raise OptionError("name a file for the ID list first")
        return str(self.path.value.strip())
