"""Workers of gevent and eventlet: a waiting call does not stop other greenlets."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from support.stack import Program, make_app, programs, shared_stack

PATCH = {
    "gevent": "from gevent import monkey; monkey.patch_all(); import gevent; spawn = gevent.spawn; join = gevent.joinall",
    "eventlet": "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch();"
    " spawn = eventlet.spawn; join = lambda all: [each.wait() for each in all]",
}
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-central-1"}
OWN_RESOLVER_OFF = {"EVENTLET_NO_GREENDNS": "yes"}
"""eventlet's resolver imports dnspython, which imports trio where that is installed, and trio refuses patched sockets."""
both = pytest.mark.parametrize("library", list(PATCH))

TOGETHER = """
import logging, os, signal
signal.alarm(40)
logging.basicConfig(format="%(message)s", level=logging.INFO, filename=os.environ["LOG"])
from cognito_session.aws.transport.open import open_wire
wire = open_wire(environ=dict(os.environ))
found = []
def check(number):
    answer = wire.call("dynamodb", "GetItem", {"TableName": "t", "Key": {"sub": {"S": str(number)}}}, timeout_seconds=15)
    found.append(answer["Item"]["sub"]["S"] == str(number))
join([spawn(check, number) for number in range(20)])
print(type(wire).__name__, sum(found))
"""

WITHOUT_BOTOCORE = """
import os, sys
sys.modules.update(botocore=None, boto3=None)
from cognito_session.aws.transport.open import open_wire
from cognito_session.core.errors import ConfigurationError
try: open_wire(environ=dict(os.environ))
except ConfigurationError as error: print(error)
"""


class Meeting:
    """A server that answers once `expected` calls have arrived; `most` is the largest number at one time."""

    def __init__(self, expected):
        self.most = 0
        self._present = 0
        self._changed = threading.Condition()
        meeting = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                key = json.loads(self.rfile.read(int(self.headers["content-length"])))["Key"]
                with meeting._changed:
                    meeting._present += 1
                    meeting.most = max(meeting.most, meeting._present)
                    meeting._changed.notify_all()
                    meeting._changed.wait_for(lambda: meeting.most >= expected, 8)
                    meeting._present -= 1
                body = json.dumps({"Item": key}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


def ran(script, **environ):
    """What a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": os.pathsep.join(sys.path), **KEYS, **OWN_RESOLVER_OFF, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@both
def test_twenty_calls_at_once(library, tmp_path):
    """Twenty greenlets' calls are in flight together on a server that answers none before all are there; the log says how."""
    meeting = Meeting(20)
    said = ran(f"{PATCH[library]}\n{TOGETHER}", AWS_ENDPOINT_URL=meeting.url, LOG=str(tmp_path / "log"))
    meeting.stop()
    assert said == "BotocoreWire 20"
    assert meeting.most == 20
    assert f"{library} has patched the sockets" in (tmp_path / "log").read_text()


def test_the_meeting_would_notice(tmp_path):
    """The control: without patches it is libcurl, and calls one after another never meet."""
    meeting = Meeting(2)
    alone = TOGETHER.replace("range(20)", "range(1)")
    said = ran(f"spawn = lambda f, n: f(n); join = list\n{alone}", AWS_ENDPOINT_URL=meeting.url, LOG=str(tmp_path / "log"))
    meeting.stop()
    assert (said, meeting.most) == ("CurlWire 1", 1)


@both
def test_without_botocore(library):
    """Where only libcurl is installed the error says which library patched the sockets and what to install."""
    said = ran(f"{PATCH[library]}\n{WITHOUT_BOTOCORE}", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert library in said
    assert "cognito-session[boto3]" in said


LATE = """
import sys
from pathlib import Path
from cognito_session import SessionManager
from cognito_session.testing.clock import SharedClock
manager = SessionManager.from_env(cookie="token", cookie_name="token", clock=SharedClock(Path(sys.argv[2])))
{patch}
sys.stdin.readline()
cookie = "token=" + sys.argv[1]
outcomes = []
join([spawn(lambda: outcomes.append(type(manager.resolve(cookie)).__name__)) for _ in range(20)])
print(len(outcomes), set(outcomes), flush=True)
"""


@pytest.mark.filterwarnings("ignore")
@both
def test_patched_after_the_application_was_loaded(library, request):
    """A manager made before the patches: twenty greenlets wait for one key set, and none hangs."""
    app = make_app(shared_stack(request.config))
    app.stack.advance(60)  # as other tests do: the program goes by the stack's clock
    user = app.user()
    me = app.manager().establish(app.sign_in(user))
    script = LATE.replace("{patch}", f"import warnings; warnings.simplefilter('ignore')\n{PATCH[library]}")
    with programs(
        [
            Program(
                script,
                me.access_token,
                str(app.stack.clock_path),
                environment={**app.environment, **OWN_RESOLVER_OFF, "PYTHONWARNINGS": "ignore"},
            )
        ]
    ) as (program,):
        program.tell("go")
        assert program.hear() == "20 {'Active'}"
