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
    """Each requirement names one lower bound, and requirements/lowest.txt pins exactly that: run `make lock` after a change.

    It may also name later versions that it excludes.
    """
    name, version = re.fullmatch(r"([A-Za-z0-9-]+)(?:>=|==)([0-9.]+)(?:,!=[0-9.]+)*", requirement).groups()
    assert parts(LOWEST[name.lower()]) == parts(version)


@pytest.mark.parametrize("name", ["lowest.txt", "dev.txt", "audit.txt", "mutants.txt"])
def test_locked_requirements_name_no_index(name):
    """Every pin has hashes, and no line holds the address of a package index."""
    locked = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert "://" not in locked
    assert "--index" not in locked
    pins = re.split(r"^(?=[a-z0-9])", locked, flags=re.MULTILINE)[1:]
    assert pins
    assert all("--hash=sha256:" in pin for pin in pins)


VULNERABLE = {
    "pycurl": ("7.48.0", "libcurl before 8.23 in the wheels: CVE-2026-19931 and others"),
    "cryptography": ("49.0.0", "CVE-2026-69247"),
    "joserfc": ("1.7.1", "GHSA-5jhw-7jv7-qcqq"),
    "starlette": ("1.3.0", "CVE-2026-54283"),
    "flask": ("3.1.2", "CVE-2026-27205"),
    "django": ("5.2.18", "releases before 5.2.19; 4.2 had its end of life on 2026-04-07"),
    "urllib3": ("2.6.3", "CVE-2026-44431, CVE-2026-44432"),
    "click": ("8.3.2", "CVE-2026-7246"),
    "tqdm": ("4.66.2", "CVE-2024-34062"),
    "pytest": ("9.0.2", "CVE-2025-71176"),
    "jinja2": ("3.1.5", "CVE-2025-27516"),
}
"""The last version with a published vulnerability, by package."""


@pytest.mark.parametrize("name", sorted(VULNERABLE))
def test_lower_bounds_exclude_published_vulnerabilities(name):
    """No declared requirement, and so not the lowest install, allows the last version that has a known vulnerability."""
    bad, _ = VULNERABLE[name]
    declared = [each for each in DECLARED if re.match(rf"{name}[>=]", each)]
    assert declared
    for requirement in declared:
        lowest = re.search(r"(?:>=|==)([0-9.]+)", requirement)[1]
        assert parts(lowest) > parts(bad)


@pytest.mark.parametrize("version", ["6.0", "6.0.9", "6.1", "6.1.2", "4.2.30", "5.1.15"])
def test_django_releases_with_published_vulnerabilities_are_excluded_in_every_series(version):
    """A later series' releases from before the same day are as vulnerable as 5.2.18."""
    [requirement] = [each for each in DECLARED if each.startswith("django>=")]
    excluded = re.findall(r"!=([0-9.]+)", requirement)
    lowest = re.search(r">=([0-9.]+)", requirement)[1]
    assert version in excluded or parts(version) < parts(lowest)
