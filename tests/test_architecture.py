"""Imports run one way, the core touches nothing, and what src may not say it does not say."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import cognito_session
from cognito_session import core

PACKAGE = "cognito_session"
SOURCE = Path(cognito_session.__file__).parent
CORE_ORDER = re.findall(r"\w+", re.search(r"Reading order.*?:\n(.*)", core.__doc__, re.DOTALL)[1])

BELOW = {"core", "configuration", "clock"}
MAY_IMPORT = {
    "": {"core"},  # the public package; managers are loaded when they are first named
    "core": {"core"},
    "configuration": {"core"},
    "clock": {"core"},
    "drivers": {"core", "drivers"},
    "aws": {"core", "clock", "aws"},
    "web": BELOW | {"drivers", "web"},
    "signin": BELOW | {"drivers", "web", "signin"},
    "sqlite": {"core", "aws", "sqlite"},
    "sqlite_store": {"core", "aws", "sqlite"},
    "assembly": BELOW | {"drivers", "aws", "web", "signin", "sqlite_store"},
    "manager": BELOW | {"drivers", "web", "signin", "assembly", "manager"},
    "ops": BELOW | {"drivers", "aws", "sqlite_store", "manager", "ops", ""},
    "testing": BELOW | {"drivers", "aws", "web", "signin", "manager", "testing", ""},
    "local": BELOW | {"drivers", "aws", "web", "signin", "testing", "local", ""},
    "cli": BELOW | {"drivers", "aws", "web", "signin", "local", "manager", "ops", "cli", ""},
}
FOR_TYPES_ONLY = {"": {"manager", "signin", "web"}, "web": {"manager"}, "signin": {"manager"}}
NOT_IN_CORE = {"time", "datetime", "os", "random", "secrets", "socket", "threading", "asyncio", "logging", "subprocess", "uuid"}
WHEN_USED = {"token": {"joserfc"}, "seal": {"cryptography"}}


class Import(NamedTuple):
    """One import: what of, and where it stands: at module level, in a function, or for types only."""

    name: str
    place: str


def imports_of(tree: ast.AST, place: str = "module") -> Iterator[Import]:
    """Every import below a node; `from package import module` counts as package.module."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, place) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from (Import(f"{origin}.{alias.name}", place) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports_of(ast.Module(node.body, []), "types")
            yield from imports_of(ast.Module(node.orelse, []), place)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and place == "module":
            yield from imports_of(node, "function")
        else:
            yield from imports_of(node, place)


def layer_of(path: str) -> str:
    """The layer of a dotted path within the package, "" for the package's own names."""
    first = path.split(".", maxsplit=1)[0]
    return first if first in MAY_IMPORT else ""


def faults_in(module: str, source: str) -> list[str]:
    """What a module of the package (a dotted path without the package's name) does that it may not."""
    tree, layer, name = ast.parse(source), layer_of(module), module.rpartition(".")[2]
    faults = [f"assert in line {node.lineno}" for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    for found, place in imports_of(tree):
        root, _, path = found.partition(".")
        if root in ("", PACKAGE):
            allowed = MAY_IMPORT[layer] | (FOR_TYPES_ONLY.get(layer, set()) if place == "types" else set())
            if not root or layer_of(path) not in allowed:
                faults.append(f"imports {found}")
            elif layer == "core" and not _is_above(path, name):
                faults.append(f"imports {found}, which is not above it")
        elif layer == "core" and root not in _outside_of_core(name, place):
            faults.append(f"imports {found}")
    return faults


def _outside_of_core(name: str, place: str) -> set[str]:
    """What of the world a core module may import there: the standard library's thinking part, libraries when used."""
    return (set(sys.stdlib_module_names) - NOT_IN_CORE) | (WHEN_USED.get(name, set()) if place != "module" else set())


def _is_above(path: str, name: str) -> bool:
    """Whether a core module, as `core.x` or `core.x.Name`, stands above the core module `name`."""
    parts = path.split(".")
    return len(parts) > 1 and name in CORE_ORDER and parts[1] in CORE_ORDER[: CORE_ORDER.index(name)]


MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
    for path in sorted(SOURCE.rglob("*.py"))
}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module or PACKAGE)
def test_imports_run_one_way(module):
    """Each module imports only what its layer may, the core only what is above it, and none asserts."""
    assert faults_in(module, MODULES[module].read_text()) == []


def test_the_reading_order_names_every_file_of_the_core():
    """The order in core's docstring is complete and holds no file that is not there, none twice."""
    files = sorted(path.stem for path in (SOURCE / "core").glob("*.py") if path.stem != "__init__")
    assert sorted(CORE_ORDER) == files


def test_every_part_has_a_layer():
    """A new folder or file at the top must be given its place here before it is used."""
    parts = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__"} <= set(MAY_IMPORT)


BAD = [
    ("core.flow", "import time"),
    ("core.flow", "from datetime import datetime"),
    ("core.flow", "def f():\n    import os.path"),
    ("core.flow", "import joserfc"),
    ("core.flow", "def f():\n    from joserfc.jws import JWSRegistry"),
    ("core.token", "from joserfc import jws"),
    ("core.token", "class T:\n    from joserfc import jws"),
    ("core.token", "try:\n    import joserfc\nexcept ImportError:\n    pass"),
    ("core.flow", "from cognito_session.aws import wire"),
    ("core.flow", "from cognito_session import SessionManager"),
    ("core.flow", "import cognito_session.drivers.sync"),
    ("core.flow", "from . import errors"),
    ("core.flow", "from ..aws import wire"),
    ("core.flow", "def f():\n    from cognito_session.manager import session"),
    ("core.token", "from cognito_session.core.record import Row"),
    ("core.token", "from cognito_session.core import record"),
    ("core.token", "from cognito_session.core.token import verify"),
    ("core.token", "from cognito_session.core.nowhere import verify"),
    ("core.keys", "if TYPE_CHECKING:\n    from cognito_session.core.token import verify"),
    ("core.newcomer", "from cognito_session.core.errors import SessionError"),
    ("drivers.sync", "from cognito_session.aws.wire import Wire"),
    ("aws.wire", "from cognito_session.drivers.sync import run"),
    ("aws.wire", "from cognito_session.configuration import Configuration"),
    ("web.flask", "from cognito_session.manager import SessionManager"),
    ("web.flask", "def f():\n    from cognito_session.manager import SessionManager"),
    ("web.flask", "if not TYPE_CHECKING:\n    pass\nelse:\n    from cognito_session.aws.wire import Wire"),
    ("web.flask", "if TYPE_CHECKING:\n    from cognito_session.aws.wire import Wire"),
    ("web.flask", "from cognito_session import SessionManager"),
    ("manager", "from cognito_session.testing.clock import ManualClock"),
    ("manager", "from cognito_session.local.stack import LocalStack"),
    ("testing.clock", "from cognito_session.local.stack import LocalStack"),
    ("local.demo.app", "from cognito_session.manager import SessionManager"),
    ("", "from cognito_session.manager import SessionManager"),
    ("configuration", "x = 1\nassert x"),
    ("core.flow", "def f(x):\n    assert x"),
]


@pytest.mark.parametrize(("module", "source"), BAD)
def test_the_checker_bites(module, source):
    """Each of these modules would be a way round the rule, and is found."""
    assert len(faults_in(module, source)) == 1


GOOD = [
    ("core.token", "def f():\n    from joserfc.jws import JWSRegistry"),
    ("core.token", "from cognito_session.core import errors\nfrom cognito_session.core.keys import KeySet"),
    ("core.flow", "import json, re\nfrom hashlib import sha256\nfrom collections.abc import Mapping"),
    ("web.flask", "import flask\nif TYPE_CHECKING:\n    from cognito_session.manager import SessionManager"),
    ("manager", "import time\ndef f():\n    from cognito_session.web.protect import protect"),
    ("local.demo.app", "from cognito_session import SessionManager"),
]


@pytest.mark.parametrize(("module", "source"), GOOD)
def test_the_checker_lets_the_rest_pass(module, source):
    """What the layers need is no fault."""
    assert faults_in(module, source) == []
