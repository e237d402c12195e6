"""The demo: the script that checks itself, the pages without a browser's help, and how serving begins and ends."""

from __future__ import annotations

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
from cognito_session.local.demo.journey import COOKIE, Journey
from cognito_session.local.demo.script import run
from cognito_session.local.demo.world import ALICE, BOB, PEOPLE, World, base_url
from cognito_session.local.gateway import Gateway

COMMAND = [sys.executable, "-m", "cognito_session.local.demo"]
TITLES = [
    *("open the site", "wrong password", "sign in by form", "first request", "ordinary request", "time passes"),
    *("50 requests at once", "the new cookie", "a second device", "sign that one out", "a page for editors"),
    *("the same page for bob", "step up", "sign out", "the old cookie again"),
]
ANYBODYS = ["/", "/sign-in", "/sign-up", "/forgot"]
OWN = ["/", "/profile", "/devices", "/editors", "/password"]


@pytest.fixture(scope="module")
def world():
    """One world for the tests that look at pages."""
    with World.started() as world:
        yield world


@pytest.fixture(scope="module")
def gateway(world):
    """The sample app, served."""
    with world.served() as gateway:
        yield gateway


@pytest.fixture
def browser(world, gateway):
    """Nobody yet; no faults are left behind."""
    yield Browser(base_url(gateway))
    world.stack.clear_faults()


def signed_in(browser, person=ALICE):
    """The browser, with a session."""
    page = browser.get("/sign-in")
    reply = browser.post("/sign-in", **page.fields(), username=person.username, password=person.password)
    assert reply.status == 303
    assert browser.cookie(COOKIE)
    return browser


def steps_of(text):
    """(mark, title) of each step that was printed."""
    found = re.findall(r"^  (\S) +\d+  (.{24})", text, re.MULTILINE)
    return [(mark, title.strip()) for mark, title in found]


def test_the_script_goes_all_the_way():
    """`make demo ARGS=--script` prints every step with a tick and exits with 0, silent on stderr."""
    done = subprocess.run([*COMMAND, "--script"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert steps_of(done.stdout) == [("✓", title) for title in TITLES]
    assert "50 served, 1 refresh call to Cognito" in done.stdout
    assert f"All {len(TITLES)} steps as expected" in done.stdout


def test_a_terminal_without_ticks_does_not_stop_the_script():
    """Where the output cannot show a tick, a question mark stands for it."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*COMMAND, "--script"], capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "? " in done.stdout


@pytest.mark.parametrize(
    ("broken", "step"),
    [("time_passes", "50 requests at once"), ("sign_in", "first request"), ("sign_out", "the old cookie again")],
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
        if tag == "label" and "for" in given:
            self.labelled.add(given["for"])
        if tag in ("input", "progress", "select", "textarea") and given.get("type") != "hidden":
            self.inputs.append(given.get("id"))
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self.inline += ["script"] if tag == "script" and "src" not in given else []
        self.inline += ["style"] if tag == "style" else []


@pytest.mark.parametrize(("path", "who"), [*((path, None) for path in ANYBODYS), *((path, ALICE) for path in OWN)])
def test_pages_are_accessible_and_need_nothing_inline(browser, path, who):
    """Language, title, one heading, unique ids, a label or a fieldset for each input; no inline script or style."""
    reply = (signed_in(browser) if who else browser).get(path)
    assert reply.status == 200
    outline = Outline(reply.body)
    tags = [tag for tag, _ in outline.tags]
    assert any(tag == "html" and given.get("lang") == "en" for tag, given in outline.tags)
    assert (tags.count("title"), tags.count("h1"), tags.count("main")) == (1, 1, 1)
    assert set(outline.inputs) - {None} <= outline.labelled
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.inline == []


@pytest.mark.parametrize("path", [*OWN, "/nothing", "/sign-in"])
def test_little_is_allowed_and_nothing_is_stored(world, gateway, path):
    """Every page says no-store and carries the content security policy, a page that is not there too."""
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "localhost", "sec-fetch-mode": "navigate"},
        "isBase64Encoded": False,
        "requestContext": {"http": {"method": "GET", "path": path}},
    }
    headers = {name.lower(): value for name, value in gateway.handler(event, None)["headers"].items()}
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_a_wrong_password_shows_the_form_again(browser):
    """Status 401, a message that does not say which of the two is wrong, the name kept and escaped."""
    said = set()
    for name in (ALICE.username, "nobody-of-this-name", '"><script>alert(1)</script>'):
        reply = browser.post("/sign-in", username=name, password="Wrong-1865!")
        assert reply.status == 401
        assert browser.cookie(COOKIE) is None
        assert "<script>alert" not in reply.body
        said.add(re.search(r'role="alert"[^>]*>(.*?)</', reply.body, re.DOTALL)[1])
    assert len(said) == 1


def test_an_outage_at_sign_in_is_not_a_wrong_password(world, browser):
    """When Cognito is down the page says so, with a 503."""
    world.stack.fault("InitiateAuth", "error500", times=None)
    reply = browser.post("/sign-in", username=ALICE.username, password=ALICE.password)
    assert reply.status == 503
    assert browser.cookie(COOKIE) is None


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/sign-up", "/forgot"])
@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}], ids=str)
def test_a_post_from_another_site_is_refused(gateway, path, headers):
    """Without a word of the browser that the page is ours, nothing changes."""
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": f"localhost:{gateway.port}", "content-type": "application/x-www-form-urlencoded", **headers},
        "body": f"username={ALICE.username}&password={ALICE.password}",
        "isBase64Encoded": False,
        "requestContext": {"http": {"method": "POST", "path": path}},
    }
    answer = gateway.handler(event, None)
    assert answer["statusCode"] == 403
    assert not answer.get("cookies")


@pytest.mark.parametrize(
    "fields",
    [{}, {"username": ""}, {"username": "alice"}, {"password": "x"}, {"username": "alice", "password": "x" * 100_000}],
    ids=lambda fields: ",".join(fields) or "nothing",
)
def test_forms_with_missing_and_huge_fields(world, browser, fields):
    """A page with a message, no session, and what is too long never reaches Cognito."""
    world.stack.clear_calls()
    reply = browser.post("/sign-in", **fields)
    assert reply.status in (400, 401)
    assert 'role="alert"' in reply.body
    assert browser.cookie(COOKIE) is None
    if len(fields.get("password", "")) > 256:
        assert world.stack.calls("cognito") == []


def test_signing_out_ends_the_session_for_good(browser):
    """A POST deletes the cookie, and the old cookie is worth nothing; a GET does nothing."""
    kept = signed_in(browser).cookie(COOKIE)
    assert browser.get("/sign-out").status in (404, 405)
    assert browser.get("/profile").status == 200
    assert browser.post("/sign-out").status == 303
    assert browser.cookie(COOKIE) is None
    browser.keep(COOKIE, kept)
    assert browser.ask("/profile").status == 401


def test_the_page_for_editors_is_theirs(browser):
    """Bob gets a 403 page that names the group."""
    assert signed_in(browser, BOB).get("/editors").status == 403
    assert "editors" in browser.get("/editors").body


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
    for person in PEOPLE:
        assert f"{person.username}  " in said
        assert person.password in said
    assert Browser(address[0]).get("/").status == 200
    status, rest, wrong = ended(process, number)
    assert (status, wrong) == (0, "")
    assert rest.strip().endswith("Stopped.")
    with pytest.raises(ConnectionRefusedError):
        Browser(address[0]).get("/")


def test_a_taken_port_is_said_plainly():
    """Asked for a port that is taken, the demo names it and exits with 1, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"Port {port} is taken." in done.stdout
    assert done.stderr.startswith("The demo cannot run: no free port")
    assert "Traceback" not in done.stderr


def test_without_being_asked_the_next_free_port_is_taken(world, monkeypatch):
    """Where the usual port is taken, the demo says so and serves on the next one."""
    from cognito_session.local.demo import __main__ as demo

    out = io.StringIO()
    with Gateway(lambda event, context: "taken") as first:
        monkeypatch.setattr(demo, "_PORT", first.port)
        with demo._gateway(world, None, out) as second:
            assert second.port > first.port
    assert f"Port {first.port} is taken." in out.getvalue()
