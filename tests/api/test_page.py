"""docs/api.md is complete and current. griffe is loaded by the tests alone, so that collecting them needs nothing."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType

import pytest

from test_public_api import NAMES, PUBLIC


@lru_cache(maxsize=1)
def generator() -> ModuleType:
    """The script that writes the page."""
    from api import page

    return page


@lru_cache(maxsize=1)
def blocks() -> dict[str, str]:
    """The text below each heading of the page, by module and heading; `Other types` is such a module."""
    found: dict[str, str] = {}
    module = heading = ""
    for line in generator().PAGE.read_text(encoding="utf-8").splitlines():
        marks, _, name = line.partition(" ")
        if marks == "##":
            module = heading = name
        elif marks in ("###", "####"):
            heading = f"{module}.{name}"
        found[heading] = f"{found.get(heading, '')}{line}\n"
    return found


def test_the_page_is_what_the_command_writes():
    """docs/api.md has the signatures and docstrings of this source: run `make api` after a change of a public name."""
    assert generator().PAGE.read_text(encoding="utf-8") == generator().page()


def test_the_page_covers_every_public_module():
    """The modules whose names are pinned are those of the page."""
    assert sorted(generator().MODULES) == sorted(PUBLIC)


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[".".join(name) for name in NAMES])
def test_every_public_name_has_an_entry(module, name):
    """An entry has the name's signature and its docstring."""
    assert has_signature_and_text(blocks()[f"{module}.{name}"])


def test_every_method_has_an_entry():
    """A public class's methods and properties have a signature and a docstring each."""
    tree = generator().package()
    public = generator().public_names(tree)
    shown = {node.path for node in public.values()}
    bare = [
        f"{path}.{member}"
        for path, node in public.items()
        for member in generator().members_of(node, shown)
        if not has_signature_and_text(blocks().get(f"{path}.{member}", ""))
    ]
    assert bare == []


def test_the_page_says_what_is_private():
    """One sentence tells a reader that everything else may change."""
    assert "What is not on this page may change in any release" in blocks()[""]


def has_signature_and_text(block: str) -> bool:
    """Whether an entry is a heading, a block of Python, and at least two words."""
    _, _, rest = block.partition("```pyi\n")
    signature, _, text = rest.partition("\n```\n")
    return bool(signature.strip()) and len(text.split()) >= 2
