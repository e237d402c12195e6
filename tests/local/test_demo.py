"""The demo: the script that checks itself, the pages that a person sees, and how serving begins and ends."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from cognito_session.local.demo.__main__ import main
from cognito_session.local.demo.browser import Browser
from cognito_session.local.demo.script import Journey, run
from cognito_session.local.demo.world import PASSWORD, USERNAME, World
from cognito_session.local.gateway import Gateway

COMMAND = [sys.executable, "-m", "cognito_session.local.demo"]
TITLES = [
    *("open the page", "wrong password", "sign in", "first request", "ordinary request", "time passes"),
    *("50 requests at once", "new cookie", "row removed", "same cookie again"),
]


@pytest.fixture(scope="module")
def world():
    """One world for the tests that look at pages."""
    with World.started() as world:
        yield world


@pytest.fixture
def gateway(world):
    """The sample app, served; no faults are left behind."""
    with Gateway(world.app(), clock=world.stack.clock) as gateway:
        yield gateway
    world.stack.clear_faults()


@pytest.fixture
def browser(gateway):
    """Nobody yet."""
    return Browser(gateway.port)


def signed_in(browser):
    """The browser, with a session."""
    browser.keep(browser.post("/sign-in", username=USERNAME, password=PASSWORD).cookie)
    return browser


def event(method, path, headers=(), body=""):
    """A request as the app's handler is given it."""
    named = {"host": "app.example", **dict(headers)}
    context = {"http": {"method": method}}
    return {
        "version": "2.0",
        "rawPath": path,
        "headers": named,
        "body": body,
        "isBase64Encoded": False,
        "requestContext": context,
    }


def steps_of(text):
    """(mark, title) of each step that was printed."""
    found = re.findall(r"^  (\S) +\d+  (.{24})", text, re.MULTILINE)
    return [(mark, title.strip()) for mark, title in found]


def test_the_script_goes_all_the_way():
    """`make demo ARGS=--script` prints every step with a tick and exits with 0, silent on stderr."""
    done = subprocess.run([*COMMAND, "--script"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert steps_of(done.stdout) == [("✓", title) for title in TITLES]
    assert "50 served, 1 refresh call to Cognito, cookie changed" in done.stdout
    assert "All 10 steps as expected" in done.stdout


def test_a_terminal_without_ticks_does_not_stop_the_script():
    """Where the output cannot show a tick, a question mark stands for it."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*COMMAND, "--script"], capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "? " in done.stdout


@pytest.mark.parametrize(
    ("broken", "step"),
    [("row_removed", "same cookie again"), ("time_passes", "50 requests at once"), ("sign_in", "first request")],
)
def test_a_step_that_differs_fails_the_script_by_name(monkeypatch, broken, step):
    """When something did not happen, the step that depends on it is marked and named, and the exit status is 1."""
    monkeypatch.setattr(Journey, broken, lambda self: "left out")
    out = io.StringIO()
    assert main(["--script"], out) == 1
    assert steps_of(out.getvalue())[-1] == ("✗", step)
    assert f"({step}) differs from what is expected" in out.getvalue()


def test_an_outage_fails_the_script():
    """A refresh that Cognito refuses to do is not taken for a success."""
    out = io.StringIO()
    with World.started() as world:
        world.stack.fault("GetTokensFromRefreshToken", "error500", times=None)
        assert run(world, 0, out) == 1
    assert "(50 requests at once) differs" in out.getvalue()


class Outline(HTMLParser):
    """What of a page matters to someone who cannot see it."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.labelled, self.ids, self.inputs, self.inline = [], set(), [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        self.ids += [given["id"]] if "id" in given else []
        if tag == "label":
            self.labelled.add(given["for"])
        if tag in ("input", "progress"):
            self.inputs.append(given["id"])
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self.inline += ["script"] if tag == "script" and "src" not in given else []
        self.inline += ["style"] if tag == "style" else []


@pytest.mark.parametrize("who", ["nobody", "somebody"])
def test_pages_are_accessible_and_need_nothing_inline(browser, who):
    """Language, title, one heading, a label for each input, unique ids; no inline script, style or handler."""
    page = (browser if who == "nobody" else signed_in(browser)).get("/").body
    outline = Outline(page)
    tags = [tag for tag, _ in outline.tags]
    assert ("html", {"lang": "en"}) in outline.tags
    assert (tags.count("title"), tags.count("h1"), tags.count("main")) == (1, 1, 1)
    assert set(outline.inputs) <= outline.labelled
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.inline == []
    assert "http" not in page.lower()


def test_the_script_of_the_page_finds_what_it_looks_for(browser):
    """Every id in app.js is on the page."""
    wanted = set(re.findall(r'at\("([^"]+)"\)', browser.get("/app.js").body))
    outline = Outline(signed_in(browser).get("/").body)
    assert wanted
    assert wanted <= {*outline.ids}


@pytest.mark.parametrize("path", ["/", "/app.js", "/app.css", "/status", "/nothing"])
def test_nothing_is_stored_and_little_is_allowed(world, path):
    """Every answer says no-store, and whatever a browser renders carries the content security policy."""
    headers = world.app()(event("GET", path), None)["headers"]
    assert headers["Cache-Control"] == "no-store"
    assert path == "/status" or "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_wrong_password_shows_the_form_again(browser):
    """Status 401, a message that does not say which of the two is wrong, the name kept and escaped."""
    for name in (USERNAME, '"><script>alert(1)</script>', ""):
        reply = browser.post("/sign-in", username=name, password="wrong")
        assert (reply.status, reply.cookie) == (401, None)
        assert 'role="alert"' in reply.body
        assert "<script" not in reply.body
    assert f'value="{USERNAME}"' in browser.post("/sign-in", username=USERNAME, password="wrong").body


def test_an_outage_at_sign_in_is_not_a_wrong_password(world, browser):
    """When Cognito is down the page says so, with a 503."""
    world.stack.fault("InitiateAuth", "error500", times=None)
    reply = browser.post("/sign-in", username=USERNAME, password=PASSWORD)
    assert (reply.status, reply.cookie) == (503, None)
    assert "did not answer" in reply.body


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://app.example", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_post_from_another_site_is_refused(world, path, headers):
    """Without a word of the browser that the page is ours, nothing changes."""
    answer = world.app()(event("POST", path, headers, f"username={USERNAME}&password={PASSWORD}"), None)
    assert answer["statusCode"] == 403
    assert "cookies" not in answer


def test_signing_out_ends_the_session_for_good(browser):
    """A POST deletes the cookie, and the old cookie is worth nothing; a GET does nothing."""
    signed_in(browser)
    assert browser.get("/sign-out").status == 404
    assert browser.get("/status").status == 200
    reply = browser.post("/sign-out")
    assert (reply.status, reply.cookie) == (303, "token=")
    assert browser.get("/status").json()["reason"] == "session_ended"
    assert "Signed in as" not in browser.get("/").body


def test_the_status_tells_of_a_refresh(world, browser):
    """After a refresh the token is another one, its generation one higher, and its life begins anew."""
    signed_in(browser)
    before = browser.get("/status").json()
    world.stack.advance(before["lives"])
    reply = browser.get("/status")
    after = reply.json()
    assert reply.cookie
    assert after["token"] != before["token"]
    assert (after["generation"], after["refresh_calls"]) == (before["generation"] + 1, before["refresh_calls"] + 1)
    assert after["expires_in"] > before["lives"] - 5


def started(*arguments):
    """A served demo, and what it has said until it was ready."""
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.communicate(timeout=10)
        said += line
    return process, said


def ended(process, number):
    """(exit status, rest of stdout, stderr) after a signal."""
    process.send_signal(number)
    said, wrong = process.communicate(timeout=15)
    return process.returncode, said, wrong


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_everything_without_a_word_of_python(number):
    """The address, the name and the password are printed; the end is quiet and the port is free."""
    process, said = started("--port", "0")
    address = re.search(r"http://localhost:(\d+)", said)
    assert USERNAME in said
    assert PASSWORD in said
    assert Browser(int(address[1])).get("/").status == 200
    status, rest, wrong = ended(process, number)
    assert (status, wrong) == (0, "")
    assert rest.strip().endswith("Stopped.")
    with pytest.raises(ConnectionRefusedError):
        Browser(int(address[1])).get("/")


def test_a_taken_port_is_said_plainly():
    """Asked for a port that is taken, the demo names it and exits with 1, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"Port {port} is taken." in done.stdout
    assert done.stderr.startswith("The demo cannot run: no free port")
    assert "Traceback" not in done.stderr


def test_without_being_asked_the_next_free_port_is_taken(monkeypatch):
    """Where the usual port is taken, the demo says so and serves on the next one."""
    from cognito_session.local.demo import __main__ as demo

    out = io.StringIO()
    with Gateway(lambda event, context: "taken") as first:
        monkeypatch.setattr(demo, "_PORT", first.port)
        with demo._gateway(lambda event, context: "served", None, out) as second:
            assert second.port > first.port
    assert f"Port {first.port} is taken." in out.getvalue()
