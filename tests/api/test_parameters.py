"""The signatures on docs/api.md are those that Python sees when it imports the names."""

from __future__ import annotations

import inspect
import re
from enum import Enum
from importlib import import_module
from pathlib import Path

import pytest

from test_public_api import NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def signature_of(module: str, name: str) -> str:
    """The text from a name's heading to the end of its signature."""
    section = PAGE.partition(f"\n## {module}\n")[2]
    return section.partition(f"\n### {name}\n")[2].partition("\n```\n")[0]


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[".".join(name) for name in NAMES])
def test_no_parameter_is_left_out(module, name):
    """A signature on the page has each parameter that Python sees."""
    value = getattr(import_module(module), name)
    if not callable(value) or getattr(value, "_is_protocol", False) or (isinstance(value, type) and issubclass(value, Enum)):
        return
    if getattr(value, "__origin__", None) is not None:  # a type alias
        return
    signature = signature_of(module, name)
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    names = [each.name for each in inspect.signature(value).parameters.values() if each.kind not in kinds]
    assert [each for each in names if not re.search(rf"\b{each}\b", signature)] == []
