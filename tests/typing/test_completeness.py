"""Every public symbol has a type that a checker knows: pyright's own measure of a typed package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(sys.executable).parent


def test_every_type_is_known():
    """`basedpyright --verifytypes` reports 100 %: no symbol of a module without underscore has an unknown or inferred type."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # basedpyright verifies what the first Python in PATH imports
    environment["PATH"] = f"{SCRIPTS}{os.pathsep}{environment.get('PATH', '')}"
    command = [str(SCRIPTS / "basedpyright"), "--verifytypes", "cognito_session", "--ignoreexternal", "--outputjson"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode in (0, 1), done.stderr + done.stdout[-2000:]
    found = json.loads(done.stdout)["typeCompleteness"]
    unknown = {
        symbol["name"]: [diagnostic["message"] for diagnostic in symbol["diagnostics"]]
        for symbol in found["symbols"]
        if not symbol["isTypeKnown"] and symbol["diagnostics"]
    }
    assert unknown == {}
    assert found["exportedSymbolCounts"]["withKnownType"] > 1000, "the package was not found"
    assert found["completenessScore"] == 1.0
