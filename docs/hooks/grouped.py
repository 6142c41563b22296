"""Parameters that a docstring describes together keep each its own type and default in the reference.

Griffe gives every name of ``detector, model, sensitivity`` the type and the default that the first of them has.
"""

from __future__ import annotations

from typing import Any

import griffe

__all__ = ["GroupedParameters"]


class GroupedParameters(griffe.Extension):
    """Gives each parameter of a group its own default, and its own type where the docstring states none."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Go through everything that has a docstring, once it is loaded."""
        self._mend_members(pkg)

    def _mend_members(self, parent: griffe.Module | griffe.Class) -> None:
        for member in parent.members.values():
            if member.is_alias:
                continue
            if isinstance(member, griffe.Function | griffe.Class) and member.docstring is not None:
                _mend(member.docstring, member.parameters)
            if isinstance(member, griffe.Module | griffe.Class):
                self._mend_members(member)


def _mend(docstring: griffe.Docstring, signature: griffe.Parameters) -> None:
    known = {parameter.name: parameter for parameter in signature}
    guessed = {id(parameter.annotation) for parameter in signature if parameter.annotation is not None}
    for section in docstring.parsed:
        if section.kind is not griffe.DocstringSectionKind.parameters:
            continue
        for item in section.value:
            own = known.get(item.name)
            if own is None:
                continue
            item.value = own.default
            # A type that the docstring states is an object of its own; one taken from the signature is the signature's.
            if id(item.annotation) in guessed or str(item.annotation) == "optional":
                item.annotation = own.annotation
