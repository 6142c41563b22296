"""People above tracks: vectors of faces, pairs that they suggest, and the same person in many videos."""

from redactkit.people.embedder import Embedder, load_embedder

__all__ = ["Embedder", "load_embedder"]
