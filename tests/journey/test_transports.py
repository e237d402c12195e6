"""One of the two transports is enough: the whole journey with the other one not installed."""

from __future__ import annotations

import json

import pytest

from support.stack import Program, make_app, programs

JOURNEY = """
import json, sys
clock_path, missing = sys.argv[1:3]
for name in missing.split(","):
    sys.modules[name] = None  # as if it were not installed
from cognito_session import SessionManager
from cognito_session.testing.clock import SharedClock

tokens, life = json.loads(sys.stdin.readline())
clock = SharedClock(clock_path)
manager = SessionManager.from_env(cookie="token", cookie_name="token", clock=clock)
steps = []

def told(outcome):
    reason = getattr(outcome, "reason", None)
    steps.append(str(reason) if reason else type(outcome).__name__)
    return "" if reason else f"token={outcome.session.access_token}"

me = manager.establish(tokens)
cookie = f"token={me.access_token}"
told(manager.resolve(cookie))
clock.advance(life + 1)
new = told(manager.resolve(cookie))
told(manager.resolve(cookie))
told(manager.resolve(new))
steps.append(manager.sign_out(new)[0].partition(";")[0])
told(manager.resolve(new))
used = [name for name in ("pycurl", "botocore", "boto3", "asyncio") if sys.modules.get(name)]
print(json.dumps([steps, used, type(manager.ports.store._wire()).__name__]), flush=True)
"""

NONE = """
import sys
sys.modules.update(pycurl=None, botocore=None, boto3=None)
from cognito_session import ConfigurationError, SessionManager
tokens = __import__("json").loads(sys.stdin.readline())
manager = SessionManager.from_env(cookie="token", cookie_name="token")
try:
    manager.establish(tokens)
except ConfigurationError as error:
    print(error, flush=True)
"""

STEPS = ["Active", "Refreshed", "Active", "Active", "token=", "session_ended"]


def ran(app, script, told, *arguments):
    """What the program says when it is told this."""
    with programs([Program(script, *arguments, environment=app.environment)]) as (program,):
        program.tell(json.dumps(told))
        return program.finish()


@pytest.mark.parametrize("secret", [False, True], ids=["public", "confidential"])
@pytest.mark.parametrize(
    ("missing", "wire", "used"),
    [
        ("pycurl", "BotocoreWire", {"botocore"}),
        ("botocore,boto3", "CurlWire", {"pycurl"}),
    ],
)
def test_the_whole_journey(stack, missing, wire, used, secret):
    """Signed in, served, refreshed, healed, signed out: with libcurl alone and with botocore alone."""
    app = make_app(stack, rotation_grace_seconds=0, client_secret=secret)
    told = [app.sign_in(app.user()), 600]
    steps, loaded, name = json.loads(ran(app, JOURNEY, told, str(stack.clock_path), missing))
    assert steps == STEPS
    assert name == wire
    assert used <= set(loaded)
    assert not set(loaded) & set(missing.split(","))
    assert stack.count("GetTokensFromRefreshToken") == 1


def test_libcurl_is_preferred(rotating):
    """With both at hand libcurl carries the calls, and neither botocore nor asyncio is loaded."""
    told = [rotating.sign_in(rotating.user()), 600]
    steps, loaded, name = json.loads(ran(rotating, JOURNEY, told, str(rotating.stack.clock_path), "nothing"))
    assert (steps, loaded, name) == (STEPS, ["pycurl"], "CurlWire")


def test_without_either(app):
    """With neither at hand: a ConfigurationError that names both."""
    said = ran(app, NONE, app.sign_in(app.user()))
    assert "pycurl" in said
    assert "botocore" in said
