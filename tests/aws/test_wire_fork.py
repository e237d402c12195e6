"""The wire across forks: parent and child never share a connection, an answer or a lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aws.echo_server import write_certificate

SERVER = Path(__file__).with_name("echo_server.py")

# Each script gets: kind, server address, whether the fork rule is on, CA bundle.
START = """
import os, sys, signal, threading, time
kind, url, rule, bundle = sys.argv[1:]
if rule == "off": os.register_at_fork = lambda **_: None
signal.alarm(20)
from cognito_session.aws.transport.open import open_wire
environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "x1", "AWS_ENDPOINT_URL": url}
os.environ.update(environ)
if kind == "botocore": sys.modules["pycurl"] = None
wire = open_wire(environ={**environ, **({"AWS_CA_BUNDLE": bundle} if bundle else {})})
def read(key):
    item = wire.call("dynamodb", "GetItem", {"TableName": "t", "Key": {"sub": {"S": key}}}, timeout_seconds=3)["Item"]
    if item["sub"]["S"] != key: raise RuntimeError(f"{key} was answered with {item['sub']['S']}")
    return int(item["by"]["N"])
first = read("warm")
"""

# Child and parent use the wire at once, twenty times over; the parent is warm each time.
BOTH_USE_IT = """
for round in range(20):
    child = os.fork()
    try:
        for number in range(8): read(f"{'parent' if child else 'child'}-{round}-{number}")
    except BaseException as error:
        print(type(error).__name__, error, file=sys.stderr, flush=True)
        if not child: os._exit(1)
        raise
    if not child: os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, "the child failed"
print("kept", read("after") == first)
"""

# The child says by which connection its call went; the parent's was the first.
WHO_SPEAKS = """
child = os.fork()
if not child: os._exit(0 if read("child") == first else 5)
print("shared", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0)
"""

# The child ends like any program, emptying modules; the parent's TLS connection must survive that.
CHILD_ENDS = """
child = os.fork()
if not child: sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
time.sleep(0.1)
print("kept", read("parent") == first)
"""

# Other threads are in the middle of calls, or of making a client, while this one forks.
BUSY_THREADS = """
stop = threading.Event()
def work(name):
    while not stop.is_set(): read(name)
threads = [threading.Thread(target=work, args=(f"t{n}",), daemon=True) for n in range(4)]
for thread in threads: thread.start()
for round in range(5):
    child = os.fork()
    if not child:
        signal.alarm(8)
        try: read(f"child-{round}")
        except BaseException as error: print(error, file=sys.stderr, flush=True); os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, "the child failed or hung"
stop.set()
for thread in threads: thread.join(5)
print("fine")
"""

# A once call in the child: botocore sends it from a thread, and no thread is inherited.
CHILD_ONCE = """
def once(): return wire.call("cognito-idp", "InitiateAuth", {"AuthFlow": "USER_AUTH", "ClientId": "c"},
                             timeout_seconds=3, signed=False, once=True)["Session"]
once()
child = os.fork()
if not child: os._exit(0 if once() == "answered" else 1)
print(once(), os.waitpid(child, 0)[1])
"""


@pytest.fixture
def certificate(tmp_path):
    """A PEM file with the key and certificate of a TLS server."""
    return write_certificate(tmp_path)


def run(script, kind, *, rule="on", certificate=""):
    """What the script prints, with a server in a process of its own; a hang ends by the script's alarm."""
    command = [sys.executable, str(SERVER), *([certificate] if certificate else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.stdout.readline().strip()}"
        try:
            ran = subprocess.run(
                [
                    sys.executable,
                    "-W",
                    "ignore::DeprecationWarning",
                    "-c",
                    START + script,
                    kind,
                    url,
                    rule,
                    certificate,
                ],
                env={"PYTHONPATH": ":".join(sys.path)},
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
        finally:
            server.stdin.close()
    return ran.stdout.strip() if ran.returncode == 0 else f"failed: {ran.stderr[-600:]}"


@pytest.mark.parametrize("kind", ["curl", "botocore"])
def test_both_use_it_at_once(kind):
    """Twenty forks with parent and child calling at once: nothing mixed up, and the parent keeps its connection."""
    assert run(BOTH_USE_IT, kind) == "kept True"


@pytest.mark.parametrize("kind", ["curl", "botocore"])
@pytest.mark.parametrize("rule", ["on", "off"])
def test_connections_are_not_shared(kind, rule):
    """The child has connections of its own; without the rule (the control) it speaks on the parent's."""
    assert run(WHO_SPEAKS, kind, rule=rule) == f"shared {rule == 'off'}"


@pytest.mark.parametrize("kind", ["curl", "botocore"])
def test_child_ends(kind, certificate):
    """A child that ends normally closes nothing of its parent's: not even a TLS goodbye is sent."""
    assert run(CHILD_ENDS, kind, certificate=certificate) == "kept True"


def test_child_ends_without_the_rule(certificate):
    """The control: handles that the ending child collects break the parent's kept connection."""
    assert run(CHILD_ENDS, "curl", rule="off", certificate=certificate) == "kept False"


@pytest.mark.parametrize("kind", ["curl", "botocore"])
def test_fork_among_busy_threads(kind):
    """A fork while other threads are calling leaves the child nothing to wait for."""
    assert run(BUSY_THREADS, kind) == "fine"


@pytest.mark.parametrize("kind", ["curl", "botocore"])
def test_once_in_the_child(kind):
    """A once call works in the child of a process that has sent one."""
    assert run(CHILD_ONCE, kind) == "answered 0"
