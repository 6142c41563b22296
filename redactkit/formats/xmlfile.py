"""XML read element by element, with nothing in it that could reach out or blow up."""

from __future__ import annotations

import gc
import math
from collections.abc import Collection, Iterator
from xml.parsers import expat

from redactkit.errors import AnnotationError

__all__ = ["Element", "finite_number", "parse_xml"]

_DEEPEST = 50
_CHUNK = 1 << 20


class Element:
    """An element with its attributes, text and children, and the line it starts at."""

    __slots__ = ("attributes", "children", "line", "name", "text")

    # Written out, since files have millions of elements and a dataclass takes half as long again for each.
    def __init__(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.name = name
        self.attributes = attributes
        self.line = line
        self.text = ""
        self.children: list[Element] = []

    def walk(self) -> Iterator[Element]:
        """Yield every element inside, depth first."""
        for child in self.children:
            yield child
            yield from child.walk()


class _Builder:
    """Collects the elements whose names are asked for; keeps nothing outside them."""

    def __init__(self, ends: Collection[str], encoding: str | None) -> None:
        self.ends = ends
        self.open: list[Element] = []
        self.depth = 0
        self.done: list[Element] = []
        self.parser = expat.ParserCreate(encoding)
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.refuse
        self.parser.EntityDeclHandler = self.refuse

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise AnnotationError(f"XML nested too deeply - at line {self.parser.CurrentLineNumber}")
        if not self.open and name not in self.ends:
            return
        element = Element(name, attributes, self.parser.CurrentLineNumber)
        if self.open:
            self.open[-1].children.append(element)
        self.open.append(element)

    def end(self, name: str) -> None:
        self.depth -= 1
        if not self.open:
            return
        element = self.open.pop()
        if element.text:
            element.text = element.text.strip()
        if not self.open:
            self.done.append(element)

    def characters(self, text: str) -> None:
        # Blanks between elements are most of what comes here; those inside a text may come by themselves.
        if self.open and (self.open[-1].text or not text.isspace()):
            self.open[-1].text += text

    def refuse(self, *_: object) -> None:
        line = self.parser.CurrentLineNumber
        raise AnnotationError(f"a document type or entities are not read, for safety - at line {line}")


def parse_xml(text: bytes, *, ends: Collection[str], encoding: str | None = None) -> Iterator[Element]:
    """Yield the outermost elements of the given names, each when it ends.

    ``encoding`` overrides what the XML declaration says.

    Raises
    ------
    AnnotationError
        For broken XML, a document type, entities, or nesting deeper than 50; names the line.
    """
    builder = _Builder(ends, encoding)
    # Elements hold no cycles, and looking for some among millions of them takes a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        for start in range(0, len(text) + 1, _CHUNK):
            chunk = text[start : start + _CHUNK]
            builder.parser.Parse(chunk, start + _CHUNK > len(text))
            yield from builder.done
            builder.done.clear()
    except expat.ExpatError as err:
        raise AnnotationError(f"XML is malformed: {expat.errors.messages[err.code]} at line {err.lineno}") from err
    except (ValueError, LookupError) as err:
        if isinstance(err, AnnotationError):
            raise
        raise AnnotationError(f"XML cannot be read: {str(err)[:80]}") from err
    finally:
        if collecting:
            gc.enable()


def finite_number(text: str, name: str, *, place: str) -> float:
    """Read a number that an element or an attribute holds; ``name`` and ``place`` are for the error."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise AnnotationError(f"expected a number as {name}, got {text[:40] or 'none'!r} - at {place}")
    return value
