"""Without the packages of the extra, the command says what to install; with --help it needs nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def run(program: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter with the paths of this one."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("package", ["click", "tqdm"])
def test_a_missing_package_is_named(package):
    """The entry point ends with one line that names cognito-session[cli], and no traceback."""
    done = run(f"import sys; sys.modules[{package!r}] = None; from cognito_session.cli import main; main()")
    assert done.returncode == 1
    assert "cognito-session[cli]" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_loads_no_transport():
    """`--help` works with warnings as errors, and loads neither botocore nor libcurl nor cryptography."""
    done = run(
        "import sys\nfrom cognito_session.cli import main\n"
        "try:\n    main(['table', 'migrate', '--help'])\nexcept SystemExit as end:\n    code = end.code\n"
        "print(code, sorted({'botocore', 'pycurl', 'cryptography', 'joserfc'} & set(sys.modules)))"
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
    assert "on_reuse" in done.stdout
