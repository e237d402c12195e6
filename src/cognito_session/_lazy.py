"""Lazy names of a package: each is imported from its own module when it is first used.

Each package that uses this also imports the names under TYPE_CHECKING, so that type checkers see their types. It hides
`__getattr__` from them: otherwise a misspelled name would have the type Any instead of being an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["lazy_names"]


def lazy_names(namespace: dict[str, Any], modules: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` (PEP 562). `modules` maps each name to the full name of the module that defines it."""

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        from importlib import import_module

        # kept in the namespace, so that the next use costs a dictionary lookup
        value = namespace[name] = getattr(import_module(modules[name]), name)
        return value

    return load
