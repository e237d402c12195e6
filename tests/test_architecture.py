"""Imports run one way, the core touches nothing, and what src may not say it does not say."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

import cognito_session
from cognito_session import core
from cognito_session.core import crypto, protocol

PACKAGE = "cognito_session"
SOURCE = Path(cognito_session.__file__).parent


def order_of(folder: ModuleType) -> list[str]:
    """The files of a folder in its reading order, as paths below the package."""
    names = re.findall(r"\w+", re.search(r"Reading order.*?:\n(.*)", folder.__doc__, re.DOTALL)[1])
    return [f"{folder.__name__.removeprefix(PACKAGE + '.')}.{name}" for name in names]


CORE_ORDER = [path for folder in (core, crypto, protocol) for path in order_of(folder)]

BELOW = {"core", "settings", "configuration", "clock", "http", "_lazy"}
MAY_IMPORT = {
    "": {"core", "_lazy"},  # the public package; managers are loaded when they are first named
    "_lazy": set(),
    "store": {"core", "_lazy"},  # public names only
    "core": {"core"},
    "settings": set(),
    "configuration": {"core", "settings"},
    "clock": {"core"},
    "fork": set(),
    "drivers": {"core", "drivers"},
    "aws": {"core", "clock", "fork", "aws"},
    "http": {"core", "http"},
    "engine": {"core", "drivers", "http"},
    "argument_checks": {"core", "http", "engine"},
    "web": BELOW | {"drivers", "engine", "argument_checks", "web"},
    "signin": BELOW | {"drivers", "engine", "argument_checks", "web", "signin"},
    "sqlite": {"core", "fork", "aws", "sqlite"},
    "sqlite_store": {"core", "fork", "aws", "sqlite"},
    "setup_warnings": {"core"},
    "default_ports": {"core", "configuration", "aws", "sqlite_store"},
    "assembly": BELOW | {"drivers", "engine", "argument_checks", "aws", "web", "signin", "setup_warnings", "default_ports"},
    "manager": BELOW | {"drivers", "engine", "argument_checks", "web", "signin", "assembly", "manager"},
    "ops": BELOW | {"drivers", "aws", "sqlite_store", "manager", "ops", ""},
    "testing": BELOW | {"drivers", "argument_checks", "aws", "web", "signin", "manager", "testing", ""},
    "local": BELOW | {"drivers", "aws", "web", "signin", "testing", "local", ""},
    "cli": BELOW | {"drivers", "aws", "web", "signin", "local", "manager", "ops", "cli", ""},
}
IN_EXAMPLES = re.compile("|".join(["", *cognito_session.__all__, r"(signin|store|testing)\.\w+", r"(web|local)\..+"]))
"""What an example may import: names of the public packages, the adapters, and the embedded stack."""
EXCEPT_IN_EXAMPLES = {
    "core.crypto.keyring.KEY_BYTES",  # the demo makes the keys of its own deployment
    "core.crypto.keyring.new_entry",
    "signin.return_to.safe_return_to",  # the demo's own sign-in form returns to the requested page
}
FOR_TYPES_ONLY = {"": {"http", "manager", "signin", "web"}, "store": {"aws", "sqlite_store"}}
NOT_IN_CORE = {"time", "datetime", "os", "random", "secrets", "socket", "threading", "asyncio", "logging", "subprocess", "uuid"}
WHEN_USED = {"core.crypto.access_token": {"joserfc"}, "core.crypto.aead": {"cryptography"}}


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
    tree, layer = ast.parse(source), layer_of(module)
    faults = [f"assert in line {node.lineno}" for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    for found, place in imports_of(tree):
        root, _, path = found.partition(".")
        if root in ("", PACKAGE):
            allowed = MAY_IMPORT[layer] | (FOR_TYPES_ONLY.get(layer, set()) if place == "types" else set())
            if not root or layer_of(path) not in allowed:
                faults.append(f"imports {found}")
            elif layer == "core" and not _is_above(path, module):
                faults.append(f"imports {found}, which is not above it")
        elif root == "examples" or (layer == "core" and root not in _outside_of_core(module, place)):
            faults.append(f"imports {found}")
    return faults


def faults_in_example(source: str) -> list[str]:
    """The imports of an example that an application has no reason to copy."""
    ours = [found.partition(".")[2] for found, _ in imports_of(ast.parse(source)) if found.partition(".")[0] == PACKAGE]
    return [f"imports {path}" for path in ours if not IN_EXAMPLES.fullmatch(path) and path not in EXCEPT_IN_EXAMPLES]


def _outside_of_core(module: str, place: str) -> set[str]:
    """What of the world a core module may import there: the standard library's thinking part, libraries when used."""
    return (set(sys.stdlib_module_names) - NOT_IN_CORE) | (WHEN_USED.get(module, set()) if place != "module" else set())


def _is_above(path: str, module: str) -> bool:
    """Whether a core module, as `core.x` or `core.x.Name`, stands above the core module `module`."""
    above = CORE_ORDER[: CORE_ORDER.index(module)] if module in CORE_ORDER else []
    return any(f"{path}.".startswith(f"{each}.") for each in above)


MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
    for path in sorted(SOURCE.rglob("*.py"))
}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module or PACKAGE)
def test_imports_run_one_way(module):
    """Each module imports only what its layer may, the core only what is above it, and none asserts."""
    assert faults_in(module, MODULES[module].read_text()) == []


def test_the_reading_order_names_every_file_of_the_core():
    """The orders in the docstrings of core and its folders are complete and hold no file that is not there, none twice."""
    files = (path.relative_to(SOURCE).with_suffix("") for path in (SOURCE / "core").rglob("*.py") if path.stem != "__init__")
    assert sorted(CORE_ORDER) == sorted(".".join(file.parts) for file in files)


def circle_in(sources: Mapping[str, str]) -> list[str]:
    """One circle of modules that import each other, in whatever place; empty where there is none."""
    graph = {}
    for module, source in sources.items():
        names = [found.partition(".")[2] for found, _ in imports_of(ast.parse(source)) if found.partition(".")[0] == PACKAGE]
        graph[module] = {_module_of(name, sources) for name in names} - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _module_of(name: str, modules: Collection[str]) -> str:
    """The module that a dotted name is, or is in."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def test_no_modules_import_each_other():
    """Imports in functions and for types count too: each module can be read after those that it names."""
    assert circle_in({module: path.read_text() for module, path in MODULES.items()}) == []


@pytest.mark.parametrize(
    "back",
    [
        "from cognito_session.b import Name",
        "from cognito_session import b",
        "import cognito_session.b",
        "def f():\n    from cognito_session.b import Name",
        "if TYPE_CHECKING:\n    from cognito_session.b import Name",
        "class C:\n    def f(self):\n        import cognito_session.b",
    ],
)
def test_the_circle_test_bites(back):
    """Each way to write the import that closes a circle is found."""
    assert set(circle_in({"": "", "a": back, "b": "from cognito_session.a import f"})) == {"a", "b"}
    assert circle_in({"": "", "a": "import json", "b": "from cognito_session.a import f"}) == []


def test_every_part_has_a_layer():
    """A new folder or file at the top must be given its place here before it is used."""
    parts = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__"} <= set(MAY_IMPORT)


EXAMPLES = sorted((Path(__file__).parents[1] / "examples").rglob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: "/".join(path.parts[-2:]))
def test_examples_import_what_an_application_may(path):
    """An example uses the package, its sign-in, adapters and test kit, and the embedded stack."""
    assert faults_in_example(path.read_text(encoding="utf-8")) == []


def test_the_checker_of_examples_bites():
    """An example that imports the inside of the package is found, also inside a function."""
    assert len(faults_in_example("from cognito_session.core.protocol import record\nimport cognito_session.aws.dynamodb")) == 2
    assert len(faults_in_example("def f():\n    from cognito_session.assembly import assemble")) == 1
    assert len(faults_in_example("from cognito_session.signin.outcome import Refusal")) == 1
    assert len(faults_in_example("from cognito_session import assembly")) == 1
    assert faults_in_example("import cognito_session\nfrom cognito_session.web.flask import CognitoSession") == []


BAD = [
    ("core.protocol.resolve", "import time"),
    ("core.protocol.resolve", "from datetime import datetime"),
    ("core.protocol.resolve", "def f():\n    import os.path"),
    ("core.protocol.resolve", "import joserfc"),
    ("core.protocol.resolve", "def f():\n    from joserfc.jws import JWSRegistry"),
    ("core.crypto.access_token", "from joserfc import jws"),
    ("core.crypto.access_token", "class T:\n    from joserfc import jws"),
    ("core.crypto.access_token", "try:\n    import joserfc\nexcept ImportError:\n    pass"),
    ("core.protocol.resolve", "from cognito_session.aws.transport import interface"),
    ("core.protocol.resolve", "from cognito_session import SessionManager"),
    ("core.protocol.resolve", "import cognito_session.drivers.sync"),
    ("core.protocol.resolve", "from . import errors"),
    ("core.protocol.resolve", "from ..aws import transport"),
    ("core.protocol.resolve", "def f():\n    from cognito_session.manager import session"),
    ("core.crypto.access_token", "from cognito_session.core.protocol.record import Row"),
    ("core.crypto.access_token", "from cognito_session.core.protocol import record"),
    ("core.crypto.access_token", "from cognito_session.core.crypto.access_token import verify"),
    ("core.crypto.access_token", "from cognito_session.core.nowhere import verify"),
    ("core.crypto.key_set", "if TYPE_CHECKING:\n    from cognito_session.core.crypto.access_token import verify"),
    ("core.newcomer", "from cognito_session.core.errors import SessionError"),
    ("drivers.sync", "from cognito_session.aws.transport.interface import Wire"),
    ("aws.transport.interface", "from cognito_session.drivers.sync import run"),
    ("aws.transport.interface", "from cognito_session.configuration import Configuration"),
    ("web.flask", "from cognito_session.manager import SessionManager"),
    ("web.flask", "def f():\n    from cognito_session.manager import SessionManager"),
    ("web.flask", "if not TYPE_CHECKING:\n    pass\nelse:\n    from cognito_session.aws.transport.interface import Wire"),
    ("web.flask", "if TYPE_CHECKING:\n    from cognito_session.aws.transport.interface import Wire"),
    ("web.flask", "from cognito_session import SessionManager"),
    ("web.flask", "if TYPE_CHECKING:\n    from cognito_session.manager import SessionManager"),
    ("manager", "from cognito_session.testing.clock import ManualClock"),
    ("manager", "from cognito_session.local.stack import LocalStack"),
    ("testing.clock", "from cognito_session.local.stack import LocalStack"),
    ("local.stack", "from examples.demo.app import sample_app"),
    ("local.stack", "from cognito_session.manager import SessionManager"),
    ("", "from cognito_session.manager import SessionManager"),
    ("configuration", "x = 1\nassert x"),
    ("core.protocol.resolve", "def f(x):\n    assert x"),
]


@pytest.mark.parametrize(("module", "source"), BAD)
def test_the_checker_bites(module, source):
    """Each of these modules would be a way round the rule, and is found."""
    assert len(faults_in(module, source)) == 1


GOOD = [
    ("core.crypto.access_token", "def f():\n    from joserfc.jws import JWSRegistry"),
    (
        "core.crypto.access_token",
        "from cognito_session.core import errors\nfrom cognito_session.core.crypto.key_set import KeySet",
    ),
    ("core.protocol.resolve", "import json, re\nfrom hashlib import sha256\nfrom collections.abc import Mapping"),
    ("web.flask", "import flask\nif TYPE_CHECKING:\n    from cognito_session.engine import AnySessionManager"),
    ("manager", "import time\ndef f():\n    from cognito_session.web.aws_lambda.protect import protect"),
    ("local.stack", "from cognito_session import SessionManager"),
]


@pytest.mark.parametrize(("module", "source"), GOOD)
def test_the_checker_lets_the_rest_pass(module, source):
    """What the layers need is no fault."""
    assert faults_in(module, source) == []
