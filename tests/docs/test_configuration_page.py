"""docs/configuration.md and the table of settings say the same. Run this file as a script to write the page's table."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from cognito_session import settings
from cognito_session.settings import SETTINGS, VARIABLES, Settings, variable_names

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
BLOCK = re.compile(r"(<!-- settings: [^\n]*-->\n)(.*?)(<!-- end of settings -->)", re.DOTALL)


def rendered() -> str:
    """The table of the page: name, whether it is required or what its default is, and its description."""
    lines = ["| setting | default | what it is |", "| --- | --- | --- |"]
    for name, described in SETTINGS.items():
        names = " or ".join(f"`{each}`" for each in variable_names(name))
        value = Settings._field_defaults.get(name.lower())
        default = "required" if described.found else f"`{value}`" if value else ""
        lines.append(f"| {names} | {default} | {described.description}{' (secret)' if described.secret else ''} |")
    return "\n".join(lines) + "\n"


def test_the_page_holds_the_table_of_settings():
    """The block in the page is what the table of settings renders to."""
    assert BLOCK.search(PAGE.read_text())[2] == rendered()


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_page_names_every_variable(variable):
    """A variable that session() compares is documented, AWS's own included."""
    assert f"`{variable}`" in PAGE.read_text()


def test_a_keyword_for_every_setting():
    """The keywords of `from_env` are typed: there is one for each setting, and no other."""
    (keywords,) = (
        node
        for node in ast.walk(ast.parse(Path(settings.__file__).read_text()))
        if isinstance(node, ast.ClassDef) and node.name == "SettingKeywords"
    )
    assert [field.target.id for field in keywords.body if isinstance(field, ast.AnnAssign)] == list(Settings._fields)


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda found: found[1] + rendered() + found[3], PAGE.read_text()))
