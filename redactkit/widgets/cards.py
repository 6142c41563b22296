"""A list of cards on the page: a picture, a few words, and what can be done about each, by mouse and by keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import anywidget
import traitlets

from redactkit.review import Review
from redactkit.widgets.crops import Crops, PictureSource
from redactkit.widgets.stage import read_static

__all__ = ["CardAction", "CardList"]


class CardAction(NamedTuple):
    """What can be done about a card: its button's words, its key, and whether the next card is picked after it.

    One that ``looks`` is done about a sheet only when every crop of it was on the screen.
    """

    name: str
    text: str
    tip: str
    key: str = ""
    advances: bool = True
    looks: bool = False


class CardList(anywidget.AnyWidget):
    """The front end of a list of cards.

    Each of ``items`` is a mapping with ``key``, ``title``, ``lines``, ``state`` (hide, show, mixed, done, good, fold or
    plain), ``badge``, ``pictures`` (how many), ``actions`` (names; all where left out), ``name`` (where it can be
    named) and ``group``: an action whose name ends with ``-all`` answers its cards at once, and goes on to one of
    another.

    With ``crops`` it is a contact sheet: each of them has ``key``, ``title``, ``caption``, ``pictures`` and ``out``,
    and a click on it is sent as ``out``. With ``tile`` it is small, beside others, and its lines and buttons stand
    under the list while it is the current one. With ``open`` (true or false) it is the head of cards that are folded
    away. A click on a card is sent as ``click``, also where it is the current one.

    Pictures are asked for when a card is seen, and are no part of the widget's saved state.

    Parameters
    ----------
    review : Review
        Its frames are the pictures.
    title : str
        What assistive technology calls the list.
    actions : sequence of CardAction
    places : callable
        From a key to the places of a card's pictures.
    strip : callable, optional
        From a key to the places that are shown one after the other while the pointer rests on the card.
    act : callable
        Takes what a person did: ``do``, ``key`` and, for a name, ``text``.
    """

    _esm = read_static(("dom", "cards"), "js")
    _css = read_static(("cards",), "css")

    items: traitlets.List[Any] = traitlets.List().tag(sync=True)
    actions: traitlets.List[Any] = traitlets.List().tag(sync=True)
    advance: traitlets.List[Any] = traitlets.List().tag(sync=True)
    looks: traitlets.List[Any] = traitlets.List().tag(sync=True)
    current = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    summary = traitlets.Unicode("").tag(sync=True)
    empty = traitlets.Unicode("").tag(sync=True)
    strips = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        review: Review,
        *,
        title: str,
        actions: Sequence[CardAction],
        places: Callable[[str], list[PictureSource]],
        act: Callable[[Mapping[str, Any]], None],
        strip: Callable[[str], list[PictureSource]] | None = None,
        empty: str = "",
    ) -> None:
        self._places, self._strip, self._act = places, strip, act
        self._pictures = Crops(review, found=self._send_pictures)
        self._strips = Crops(review, found=self._send_strip)
        super().__init__(
            title=title,
            empty=empty,
            strips=strip is not None,
            actions=[{name: getattr(one, name) for name in ("name", "text", "tip", "key")} for one in actions],
            advance=[one.name for one in actions if one.advances],
            looks=[one.name for one in actions if one.looks],
        )
        self.on_msg(self._receive)

    def _receive(self, _: Any, message: Mapping[str, Any], __: Any = None) -> None:
        kind = message.get("do")
        if kind == "pictures":
            self._pictures.ask({str(key): self._places(str(key)) for key in message["keys"]})
        elif kind == "strip" and self._strip is not None:
            self._strips.ask({str(message["key"]): self._strip(str(message["key"]))}, alone=True)
        else:
            self._act(message)

    def _send_pictures(self, key: str, pictures: list[str]) -> None:
        self.send({"what": "pictures", "pictures": {key: pictures}})

    def _send_strip(self, key: str, pictures: list[str]) -> None:
        self.send({"what": "strip", "strip": {"key": key, "pictures": pictures}})

    def forget(self, key: str) -> None:
        """Send a card's pictures anew."""
        self._pictures.ask({key: self._places(key)})

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until every picture asked for is sent; return whether that came in time."""
        return self._pictures.worker.wait(timeout) and self._strips.worker.wait(timeout)

    def close(self) -> None:
        """Blank the pictures and take the list out of the page."""
        for crops in (self._pictures, self._strips):
            crops.worker.stop()
        self.send({"what": "blank"})
        super().close()
