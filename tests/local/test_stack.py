"""The stack as a whole: how it starts, what it remembers, how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from cognito_session.local.stack import CallRefusedError, LocalStack
from cognito_session.testing.clock import SharedClock

PARENT = """
import os, time
from cognito_session.local.stack import LocalStack
stack = LocalStack.start()
forked = os.fork()  # inherits the child's stdin pipe and keeps it open after this process has died
if not forked:
    time.sleep(60)
print(stack.pid, stack.clock_path.parent, forked, flush=True)
time.sleep(60)
"""
WITHOUT = """
import sys
sys.modules["{package}"] = None
from cognito_session.local import server
server.main()
"""


def alive(pid):
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition, seconds=5.0):
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_importing_the_stack_imports_no_server():
    """The parent side loads neither ministack nor uvicorn nor boto3."""
    script = "import sys, cognito_session.local.stack; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert not {"'ministack'", "'uvicorn'", "'boto3'", "'botocore'", "'httpx'"} & set(loaded.strip("[]\n").split(", "))


def test_it_dies_with_its_parent():
    """SIGKILL of the parent ends the child and removes its folder, even where a fork keeps the pipe open."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        child, folder, forked = parent.stdout.readline().split()
        assert alive(child)
        assert Path(folder).is_dir()
        parent.send_signal(signal.SIGKILL)
        parent.wait(5)
        try:
            assert eventually(lambda: not alive(child))
            assert eventually(lambda: not Path(folder).exists())
        finally:
            os.kill(int(forked), signal.SIGKILL)


@pytest.mark.parametrize("number", [None, signal.SIGKILL, signal.SIGTERM])
def test_it_leaves_nothing_behind(number):
    """Stopped, terminated or killed, its folder is gone after stop, and stopping twice is harmless."""
    stack = LocalStack.start()
    folder = stack.clock_path.parent
    assert folder.is_dir()
    if number:
        os.kill(stack.pid, number)
    stack.stop()
    stack.stop()
    assert not folder.exists()
    assert not alive(stack.pid)


@pytest.mark.parametrize("package", ["cryptography", "jinja2", "pyotp"])
def test_it_refuses_to_start_without_a_package(package):
    """Without a package of the `local` extra the child says what to install, and ends."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", WITHOUT.format(package=package)], **pipes, text=True) as child:
        said = json.loads(child.stdout.readline())
        assert child.wait(10) == 0
    assert f"the package {package}" in said["error"]
    assert "cognito-session[local]" in said["error"]


def test_it_listens_on_loopback_only(stack):
    """The child has exactly one listening socket, on 127.0.0.1."""
    inodes = {str(link.readlink()).strip("socket:[]") for link in Path(f"/proc/{stack.pid}/fd").iterdir() if link.is_symlink()}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{stack.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                listening.append(fields[1])
    port = int(stack.url.rpartition(":")[2])
    assert listening == [f"0100007F:{port:04X}"]


def test_the_call_log_from_a_number_on(stack, app):
    """With `after` come the calls numbered above it, also when earlier ones have been cleared."""
    for _ in range(3):
        app.dynamodb("ListTables", {})
    first, second, third = stack.calls("dynamodb")[-3:]
    assert [call.number for call in stack.calls(after=first.number)] == [second.number, third.number]
    stack.clear_calls()
    assert stack.calls(after=third.number) == []
    app.dynamodb("ListTables", {})
    assert [call.operation for call in stack.calls(after=first.number)] == ["ListTables"]


def test_the_call_log_names_calls_and_no_tokens(stack, app):
    """Every request is logged with service, operation, status, error and caller; the stack's own are not."""
    pool = stack.create_pool()
    table = stack.create_table("sessions")
    assert stack.calls() == []
    key = {"sub": {"S": "x"}}
    app.dynamodb("GetItem", {"TableName": table, "Key": key}, **{"x-test-caller": "worker-1"})
    app.refresh(pool, "secret-token")
    app.get(f"/{pool.user_pool_id}/.well-known/jwks.json")
    app.form("/oauth2/token", {"grant_type": "refresh_token", "client_id": pool.client_id, "refresh_token": "secret-token"})
    seen = [(call.service, call.operation, call.status, call.error, call.caller) for call in stack.calls()]
    assert seen == [
        ("dynamodb", "GetItem", 200, None, "worker-1"),
        ("cognito", "GetTokensFromRefreshToken", 400, "NotAuthorizedException", None),
        ("jwks", "jwks", 200, None, None),
        ("oauth2", "oauth2/token", 400, "invalid_grant", None),
    ]
    assert stack.count("GetItem") == stack.count("GetItem", caller="worker-1") == 1
    assert "secret-token" not in repr(stack.calls())
    stack.clear_calls()
    assert stack.calls() == []


def test_the_whole_stack_lives_by_one_clock(stack, app):
    """Advanced by an hour: other holders of the clock see it, and Cognito finds the access token expired."""
    pool = stack.create_pool(access_token_seconds=600)
    stack.create_user(pool, "alice", "Password1!")
    token = {"AccessToken": stack.sign_in(pool, "alice", "Password1!")["AccessToken"]}
    assert app.cognito("GetUser", token).status_code == 200
    with SharedClock(stack.clock_path) as clock:
        before = clock.now()
        stack.advance(3600)
        assert clock.now() >= before + 3600
    assert app.cognito("GetUser", token).json()["message"] == "Access Token has expired"


def test_rows_come_back_as_they_went_in(stack):
    """Every kind of value survives the way into a table and back."""
    table = stack.create_table("sessions", sort_key="sid", ttl_attribute="expires_at")
    row = {
        "sub": "alice", "sid": "1", "gen": 3, "half": Decimal("0.5"), "on": True, "none": None, "raw": b"\x00\xff",
        "list": [1, "a"], "map": {"a": {"b": 1}}, "set": {"x", "y"}, "numbers": {1, 2},
    }  # fmt: skip
    rows = stack.dynamodb()
    rows.put_item(table, row)
    assert rows.get_item(table, {"sub": "alice", "sid": "1"}) == row
    assert rows.scan(table) == [row]
    rows.delete_item(table, {"sub": "alice", "sid": "1"})
    assert rows.get_item(table, {"sub": "alice", "sid": "1"}) is None
    with pytest.raises(CallRefusedError, match="ResourceNotFoundException"):
        rows.scan("other")


def test_a_reset_forgets_all_but_the_time(stack, app):
    """Pools, tables, calls, faults and rules are gone; the clock stays."""
    pool = stack.create_pool()
    stack.create_table("sessions")
    stack.fault("*", "error500", times=None)
    stack.set_rules(semantics="C")
    stack.advance(50)
    offset = stack.clock.offset
    stack.reset()
    assert app.get(f"/{pool.user_pool_id}/.well-known/jwks.json").status_code == 404
    assert len(stack.calls()) == 1
    assert stack.set_rules()["semantics"] == "A"
    assert stack.clock.offset == offset
    stack.create_table("sessions")


def test_the_environment_holds_all_that_a_worker_needs(stack):
    """A pool's environment is the stack's with the pool's ids; a secret only for a confidential client."""
    pool = stack.create_pool(client_secret=True)
    environment = pool.environment()
    assert stack.environment().items() <= environment.items()
    assert environment["AWS_ENDPOINT_URL"] == stack.url
    assert (environment["USER_POOL_ID"], environment["CLIENT_ID"]) == (pool.user_pool_id, pool.client_id)
    assert environment["CLIENT_SECRET"] == pool.client_secret
    other = stack.create_client(pool)
    assert (other.user_pool_id, "CLIENT_SECRET" in other.environment()) == (pool.user_pool_id, False)
    assert other.client_id != pool.client_id
