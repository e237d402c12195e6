"""Writes requirements/lowest.txt: the lowest version of everything that pyproject.toml declares, with hashes.

What only the tests need keeps its version from dev.txt. ministack pins a botocore of its own, which would hide the lowest
boto3, so that requirement is overridden. Run it by `make lock`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent / "pyproject.toml"
NAME = re.compile(r"[A-Za-z0-9._-]+")


def named(requirement: str) -> str:
    """The package of a requirement, in the spelling of the index."""
    found = NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def main() -> int:
    """Compile; the exit status is uv's."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    names = {named(each) for each in declared}
    boto3 = next(each for each in declared if named(each) == "boto3").partition(">=")[2]
    pinned = re.findall(
        r"^([A-Za-z0-9._-]+==[^ \n]+(?: ; [^\\\n]+)?)", (HERE / "dev.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    wanted = {named(line) for line in (HERE / "dev.in").read_text(encoding="utf-8").splitlines()} - {""}
    tools = [pin.strip() for pin in pinned if named(pin) in wanted - names]
    override = HERE / ".lowest-override"
    override.write_text(f"botocore=={boto3}\n", encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("uv")), "pip", "compile", "-", "--universal", "--python-version", "3.11",
        "--resolution", "lowest-direct", "--override", str(override), "--generate-hashes", "--no-emit-index-url",
        "--no-emit-find-links", "--no-header", "--no-annotate", "--upgrade", "-o", str(HERE / "lowest.txt"),
    ]  # fmt: skip
    try:
        return subprocess.run(command, input="\n".join([*declared, *tools]), text=True, check=False).returncode
    finally:
        override.unlink()


if __name__ == "__main__":
    sys.exit(main())
