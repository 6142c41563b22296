"""People above tracks: vectors of faces, pairs that they suggest, and the same person in many videos."""

from redactkit.people.embedder import Alignment, Embedder, load_embedder
from redactkit.people.folder import People

__all__ = ["Alignment", "Embedder", "People", "load_embedder"]
