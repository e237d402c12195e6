"""What pyproject.toml declares as the lowest versions is what `make lowest` installs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED = sorted({*PROJECT["dependencies"], *(each for extra in PROJECT["optional-dependencies"].values() for each in extra)})
PINS = (ROOT / "requirements" / "lowest.txt").read_text(encoding="utf-8")
LOWEST = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", PINS, re.MULTILINE))


def parts(version):
    """A version as numbers, without trailing zeros."""
    numbers = [int(number) for number in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


@pytest.mark.parametrize("requirement", DECLARED)
def test_lowest_txt_has_the_declared_lower_bound(requirement):
    """Each requirement names one lower bound, and requirements/lowest.txt pins exactly that: run `make lock` after a change."""
    name, operator, version = re.fullmatch(r"([A-Za-z0-9-]+)(>=|==)([0-9.]+)", requirement).groups()
    assert operator in (">=", "==")
    assert parts(LOWEST[name.lower()]) == parts(version)


def test_lowest_txt_names_no_index():
    """Every pin has hashes, and no line holds the address of a package index."""
    assert "://" not in PINS
    assert "--index" not in PINS
    pins = re.split(r"^(?=[a-z0-9])", PINS, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in pin for pin in pins)
