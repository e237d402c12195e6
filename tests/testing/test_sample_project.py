"""A third-party project: the built wheel, an application that reads its environment at import, and its own tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sysconfig.get_path("purelib")

PYPROJECT = """
[tool.pytest.ini_options]
cognito_session_environment = true
addopts = ["--strict-config", "--strict-markers", "-p", "no:cacheprovider"]
filterwarnings = ["error"]
asyncio_default_fixture_loop_scope = "function"
"""

APP = '''
"""A shop: one Lambda handler, one FastAPI application; each with a manager at module level."""
from typing import Annotated

from fastapi import Depends, FastAPI

from cognito_session import AsyncSessionManager, Session, SessionManager
from cognito_session.web.fastapi import CognitoAuth

sessions = SessionManager.from_env()


@sessions.protect
def handler(event, context, me: Session):
    me.require(any_group=["staff"])
    return {"statusCode": 200, "body": me.username}


web_sessions = AsyncSessionManager.from_env()
auth = CognitoAuth(web_sessions)
app = FastAPI()
auth.init_app(app)


@app.get("/me")
async def me(me: Annotated[Session, Depends(auth.required)]):
    return {"hello": me.username}


@app.post("/orders")
async def order(me: Annotated[Session, Depends(auth.require(any_group=["staff"]))]):
    return {"by": me.username}
'''

TESTS = """
import shop
import pytest

import cognito_session


@pytest.fixture(autouse=True)
def attached(cognito):
    cognito.attach(shop.sessions)
    cognito.attach(shop.web_sessions)


def test_where_the_package_is():
    assert cognito_session.__file__.startswith(SITE)


@pytest.mark.parametrize("form", ["http-v2", "http-v1", "rest", "function-url", "alb", "alb-multi"])
def test_staff_only(cognito, form):
    assert shop.handler(cognito.event(form, groups=["staff"]), cognito.context)["statusCode"] == 200
    assert shop.handler(cognito.event(form, groups=["guests"]), cognito.context)["statusCode"] == 403
    assert shop.handler(cognito.event(form, signed_in=False), cognito.context)["statusCode"] == 401


def test_it_survives_expiry_and_outages(cognito):
    cognito.rotation(grace_seconds=60)
    event = cognito.event("http-v2", groups=["staff"])
    assert shop.handler(event, cognito.context)["statusCode"] == 200
    cognito.expire()
    cognito.fail("dynamodb")
    assert shop.handler(event, cognito.context)["statusCode"] == 503
    cognito.heal()
    cognito.lose_answer("cognito")
    answer = shop.handler(event, cognito.context)
    assert (answer["statusCode"], answer["body"]) == (200, "alice")


def test_it_survives_races(cognito):
    event = cognito.event("rest", groups=["staff"])
    cognito.expire()
    for run in cognito.interleavings(*[lambda: shop.handler(event, cognito.context)] * 2):
        assert run.first["statusCode"] == run.second["statusCode"] == 200, run


def test_the_web_application(cognito):
    client = cognito.client(shop.app, groups=["staff"], manager=shop.web_sessions)
    assert client.get("/me").json() == {"hello": "alice"}
    cognito.expire()
    assert client.post("/orders").json() == {"by": "alice"}
    assert client.post("/orders", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert cognito.client(shop.app, signed_in=False).get("/me").status_code == 401


def test_a_dependency_is_overridden(cognito):
    shop.app.dependency_overrides[shop.auth.optional] = lambda: cognito.session("carol", groups=["staff"])
    try:
        assert cognito.client(shop.app, signed_in=False).post("/orders").json() == {"by": "carol"}
    finally:
        shop.app.dependency_overrides.clear()


def test_another_clock(cognito):
    assert cognito.clock.now() == 2_000_000_000.0


@pytest.fixture
def cognito_clock():
    from cognito_session.testing import ManualClock

    return ManualClock(now=2_000_000_000)
"""
PASSED = 6 + 6

NOT_LEFT_BEHIND = """
import shop

BEFORE = shop.sessions.context, shop.sessions.ports


def test_one(cognito):
    cognito.attach(shop.sessions)
    assert shop.sessions.ports is not BEFORE[1]


def test_two():
    assert (shop.sessions.context, shop.sessions.ports) == BEFORE
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder with the built wheel unpacked as pip does it, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)])
    (wheel,) = folder.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run([*pip, "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)])
    return folder / "site"


@pytest.fixture
def project(tmp_path, site):
    """A project's folder; call it with files to write and pytest's arguments to run pytest there."""

    def run(files: dict[str, str], *arguments: str) -> tuple[int, str]:
        for name, text in {"pyproject.toml": PYPROJECT, "shop.py": APP, **files}.items():
            (tmp_path / name).write_text(text)
        # -S: no site-packages of its own accord, so that the editable installation of this checkout is not seen.
        command = [sys.executable, "-S", "-m", "pytest", "-q", *arguments]
        paths = os.pathsep.join([str(site), PACKAGES, str(tmp_path)])
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": paths}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def counted(output: str) -> dict[str, int]:
    """How many passed, failed and so on, by pytest's last line."""
    return {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error|errors|skipped)", output)}


def test_a_sample_project_tests_its_own_handlers(project, site):
    """All of its tests run and pass, with the wheel's own package: no cloud, no server, no environment set up by hand."""
    status, output = project({"test_shop.py": f"SITE = {str(site)!r}\n{TESTS}"})
    assert status == 0, output
    assert counted(output) == {"passed": PASSED}


def test_a_broken_handler_fails_its_test(project, site):
    """A handler that omits the group check, and one that ignores an outage, each fail the test for it."""
    forgetful = APP.replace('    me.require(any_group=["staff"])\n', "")
    status, output = project({"shop.py": forgetful, "test_shop.py": f"SITE = {str(site)!r}\n{TESTS}"})
    assert status == 1, output
    assert counted(output) == {"failed": 6, "passed": PASSED - 6}
    careless = APP.replace("@sessions.protect\n", "@swallow\n").replace(
        "sessions = SessionManager.from_env()\n",
        """sessions = SessionManager.from_env()


def swallow(function):
    protected = sessions.protect(function)

    def handler(event, context):
        answer = protected(event, context)
        return answer if answer["statusCode"] != 503 else {"statusCode": 200, "body": "guest"}

    return handler
""",
        1,
    )
    status, output = project({"shop.py": careless, "test_shop.py": f"SITE = {str(site)!r}\n{TESTS}"})
    assert (status, counted(output)) == (1, {"failed": 1, "passed": PASSED - 1}), output
    assert "test_it_survives_expiry_and_outages" in output


def test_nothing_is_left_behind_between_tests(project):
    """The fixture restores the manager at the end of its test."""
    status, output = project({"test_two.py": NOT_LEFT_BEHIND})
    assert (status, counted(output)) == (0, {"passed": 2}), output


def test_the_environment_is_left_alone_unless_asked(project):
    """Without the setting nothing is set, and an application that needs it says what is missing; tests see no variable."""
    quiet = PYPROJECT.replace("cognito_session_environment = true\n", "")
    look = "import os\ndef test_it(): assert 'USER_POOL_ID' not in os.environ and 'AWS_REGION' not in os.environ\n"
    status, output = project({"pyproject.toml": quiet, "test_env.py": look})
    assert (status, counted(output)) == (0, {"passed": 1}), output
    status, output = project({"pyproject.toml": quiet, "test_env.py": "import shop\n"})
    assert status == 2, output
    assert "SESSION_TABLE is not set" in output


def test_the_environment_comes_before_the_first_conftest(project):
    """A conftest.py may import the application, and what is set there or before stays."""
    conftest = "import shop\n"
    look = "import shop\ndef test_it(): assert shop.sessions.configuration.session_table == 'sessions-in-tests'\n"
    status, output = project({"conftest.py": conftest, "test_env.py": look})
    assert (status, counted(output)) == (0, {"passed": 1}), output


def test_the_plugin_shows_itself(project):
    """`pytest --fixtures` and `--help` explain the fixture and the setting."""
    _, fixtures = project({"test_none.py": "def test_none(): pass\n"}, "--fixtures")
    assert "Amazon Cognito and DynamoDB in memory for one test" in fixtures
    _, manual = project({}, "--help")
    assert "cognito_session_environment" in manual
