"""The demo: the script that checks itself, the handler's answers, the panel's counting, and how serving begins and ends.

What a person sees of it is in tests/browser.
"""

import base64
import io
import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from zipfile import ZipFile

import pytest

from cognito_session.local.gateway import Gateway
from cognito_session.local.request_log import LoggedRequest
from cognito_session.signin.outcome import Refusal
from examples.demo.__main__ import main
from examples.demo.browser import Browser
from examples.demo.form import Form, query_of, with_query
from examples.demo.journal import PANEL, Journal
from examples.demo.journey import COOKIE, Journey
from examples.demo.markup import Html, html, joined
from examples.demo.script import run
from examples.demo.tally import Meter, Tally
from examples.demo.words import sentence
from examples.demo.world import ALICE, PEOPLE, World, base_url

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "examples.demo"]
ADDRESS = "http://localhost:8000"
TITLES = [
    *("open the site", "wrong password", "sign in by form", "first request", "ordinary request", "time passes"),
    *("50 requests at once", "the new cookie", "a second device", "sign that one out", "a page for editors"),
    *("the same page for bob", "step up", "sign out", "the old cookie again"),
]
FORMS = [
    *("/sign-in", "/sign-in/choose", "/challenge", "/sign-out", "/sign-up", "/confirm", "/confirm/resend", "/forgot", "/reset"),
    *("/profile", "/devices/sign-out", "/transfer", "/password", "/authenticator/begin", "/authenticator"),
]
PAGES = ["/", "/sign-in", "/sign-up", "/forgot", "/reset", "/confirm", "/nothing"]


@pytest.fixture(scope="module")
def world():
    """One world for the tests that look at answers."""
    with World.started() as world:
        yield world


@pytest.fixture(scope="module")
def app(world):
    """The sample app's handler."""
    return world.app(ADDRESS)


@pytest.fixture
def gateway(world):
    """The sample app, served; no faults are left behind."""
    with world.served() as gateway:
        yield gateway
    world.stack.clear_faults()


@pytest.fixture
def browser(gateway):
    """Nobody yet."""
    return Browser(base_url(gateway))


def signed_in(browser, who=ALICE):
    """The browser, with a session."""
    assert browser.post("/sign-in", username=who.username, password=who.password).status == 303
    return browser


def event(method, target, headers=(), body="", cookies=()):
    """A request as the app's handler is given it."""
    path, _, query = target.partition("?")
    named = {"host": "localhost:8000", "sec-fetch-mode": "navigate", **dict(headers)}
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": named,
        "cookies": list(cookies),
        "body": base64.b64encode(body.encode()).decode(),
        "isBase64Encoded": True,
        "requestContext": {"http": {"method": method, "path": path}},
    }


def posted(app, path, fields, **headers):
    """The answer to a form of our own."""
    own = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded", **headers}
    return app(event("POST", path, own, urlencode(fields)), None)


def steps_of(text):
    """(mark, title) of each step that was printed."""
    found = re.findall(r"^  (\S) +\d+  (.{24})", text, re.MULTILINE)
    return [(mark, title.strip()) for mark, title in found]


def script(**more):
    """The finished process of `python -m examples.demo --script`."""
    command = [*COMMAND, "--script"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, **more)


def test_the_script_goes_all_the_way():
    """`make demo ARGS=--script` prints every step with a tick and exits with 0, silent on stderr."""
    done = script()
    assert (done.returncode, done.stderr) == (0, "")
    assert steps_of(done.stdout) == [("✓", title) for title in TITLES]
    assert "50 served, 1 refresh call to Cognito" in done.stdout
    assert "All 15 steps as expected" in done.stdout


def test_the_wheel_does_not_contain_the_demo(tmp_path):
    """The built wheel has the package and its metadata, and neither the examples nor their pages."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, capture_output=True, timeout=120, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"cognito_session"}
    assert [name for name in names if "demo" in name or name.endswith((".html", ".css", ".js"))] == []


def test_a_terminal_without_ticks_does_not_stop_the_script():
    """Where the output cannot show a tick, a question mark stands for it."""
    done = script(env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "? " in done.stdout


@pytest.mark.parametrize(
    ("broken", "step"),
    [
        ("sign_in", "first request"),
        ("time_passes", "50 requests at once"),
        ("second_device", "sign that one out"),
        ("sign_out", "the old cookie again"),
    ],
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


@pytest.mark.parametrize("path", [*PAGES, "/app.js", "/app.css", "/icon.svg", "/status", "/profile", "/login"])
def test_every_answer_says_what_it_allows(app, path):
    """A content security policy without anything inline, no sniffing, and nothing of a person's is stored by anybody."""
    headers = app(event("GET", path), None)["headers"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    static = path.startswith(("/app.", "/icon."))
    assert headers["Cache-Control"] == ("no-cache" if static else "no-store")


def test_a_file_is_kept_for_good_under_its_version_alone(app):
    """The pages name each file with a version; that address may be kept, any other version's may not."""
    page = app(event("GET", "/"), None)["body"]
    addresses = re.findall(r'(?:href|src)="(/(?:app|icon)[^"]+)"', page)
    assert len(addresses) == 3
    for address in addresses:
        assert "immutable" in app(event("GET", address), None)["headers"]["Cache-Control"]
        assert app(event("GET", f"{address}0"), None)["headers"]["Cache-Control"] == "no-cache"


def test_the_script_of_the_pages_finds_what_it_looks_for(app, browser):
    """Every id that app.js names is on the profile, or on the page of a passkey."""
    wanted = set(re.findall(r'at\("([^"]+)"\)', app(event("GET", "/app.js"), None)["body"])) - {"passkey-problem"}
    on_the_page = set(re.findall(r'id="([^"]+)"', signed_in(browser).get("/profile").body))
    assert len(wanted) > 5
    assert wanted <= on_the_page


@pytest.mark.parametrize("name", [ALICE.username, '"><script>alert(1)</script>', "<!--panel-->", "{brace}", ""])
def test_what_was_typed_is_text(app, name):
    """A user name comes back escaped, whatever it holds, and 401 says nothing of which of the two is wrong."""
    answer = posted(app, "/sign-in", {"username": name, "password": "wrong"})
    assert (answer["statusCode"], answer["body"].count('role="alert" id="problem"')) == (401, 1)
    assert "<script>" not in answer["body"]
    assert answer["body"].count("</aside>") == 1
    assert not any(line.startswith(COOKIE) for line in answer.get("cookies", []))


def test_an_outage_at_sign_in_is_not_a_wrong_password(world, app):
    """When Cognito is down the page says so, with a 503, in the site's own look, and says when to come back."""
    world.stack.fault("InitiateAuth", "error500", times=None)
    answer = posted(app, "/sign-in", {"username": ALICE.username, "password": ALICE.password})
    world.stack.clear_faults()
    assert answer["statusCode"] == 503
    assert "Retry-After" in answer["headers"]
    assert 'class="panel"' in answer["body"]


def test_a_script_is_answered_in_json(world, browser):
    """Refusals of what a script asks for stay the library's JSON: without a session, and in an outage."""
    assert browser.ask("/profile").json()["reason"] == "no_cookie"
    assert browser.ask("/status").json()["reason"] == "no_cookie"
    signed_in(browser)
    world.stack.fault("GetItem", "error500", times=None)
    for path in ("/profile", "/status"):
        reply = browser.ask(path)
        assert (reply.status, reply.json()["reason"]) == (503, "store_unavailable")


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ADDRESS, "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_post_from_another_site_is_refused(world, app, path, headers):
    """Without a word of the browser that the page is ours, nothing changes and nothing is asked of AWS."""
    world.stack.clear_calls()
    answer = app(event("POST", path, headers, f"username={ALICE.username}&password={ALICE.password}"), None)
    assert answer["statusCode"] == 403
    assert not any(line.startswith(COOKIE) for line in answer.get("cookies", []))
    assert world.stack.calls() == []


def test_every_form_is_in_that_test(monkeypatch, world):
    """FORMS are all paths that take a POST, and a GET of one that takes nothing else is a 405."""
    from examples.demo import app as module

    seen, routed = [], module._routed
    monkeypatch.setattr(module, "_routed", lambda routes: seen.append(routes) or routed(routes))
    app = world.app(ADDRESS)
    (routes,) = seen
    assert sorted(path for method, path in routes if method == "POST") == sorted(FORMS)
    for path in FORMS:
        assert (app(event("GET", path), None)["statusCode"] == 405) is (("GET", path) not in routes)


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("body", ["", "username=a&username=b&password=c&password=d", "%", "=&=&=", "a=" + "x" * 100_000])
def test_forms_that_no_page_of_ours_sends(world, app, path, body):
    """Missing and repeated fields, and 100 kB of them, end in a page, and nothing of it reaches Cognito."""
    world.stack.clear_calls()
    answer = app(event("POST", path, {"sec-fetch-site": "same-origin"}, body), None)
    assert answer["statusCode"] in (200, 303, 400, 401)
    assert [call for call in world.stack.calls() if call.service == "cognito"] == []


@pytest.mark.parametrize("path", ["/", "/status", "/challenge", "/auth/callback", "/devices", "/login", "/confirm", "/reset"])
@pytest.mark.parametrize(
    "query", ["return_to=//evil", "done=<script>", "username=%ff%fe", "a=&&&", "sent=9999999999", "x" * 9000]
)
def test_queries_that_no_page_of_ours_links_to(app, path, query):
    """They end in a page, a redirect within the site or to Cognito, and none is shown as it came."""
    answer = app(event("GET", f"{path}?{query}"), None)
    assert answer["statusCode"] in (200, 303, 400, 401)
    assert "<script>" not in answer["body"]
    assert "//evil" not in answer["headers"].get("Location", "").partition("?")[0]


def test_a_password_form_that_is_longer_than_a_password(app):
    """100 kB of password are a wrong password."""
    answer = posted(app, "/sign-in", {"username": ALICE.username, "password": "x" * 100_000})
    assert answer["statusCode"] == 401


def test_where_to_sign_out_from_is_one_of_three(browser):
    """Any other word ends nothing."""
    signed_in(browser)
    assert browser.post("/sign-out", where="nowhere").status == 400
    assert browser.ask("/status").status == 200


def test_two_windows_that_save_at_once(world, browser):
    """Of two that have read the same, the later one to write is told, and overwrites nothing."""
    signed_in(browser).get("/profile")
    with ThreadPoolExecutor(2) as threads, world.stack.gate("UpdateItem", times=2) as gate:
        saves = [threads.submit(browser.post, "/profile", accent="teal", note=note) for note in ("first", "second")]
        gate.wait_for(2)
        gate.release()
        statuses = [save.result(20).status for save in saves]
    assert sorted(statuses) == [303, 409]
    kept = ("first", "second")[statuses.index(303)]
    assert f'value="{kept}"' in browser.get("/profile").body


def call(number, service, operation, **more):
    """One line of the stack's log."""
    return LoggedRequest(number, service, operation, 0.0, **{"status": 200, **more})


def test_a_tally_counts_what_the_app_asked():
    """Reads, writes and calls to Cognito; pages of managed login are the browser's; trouble has its name."""
    tally = Tally.of(
        [
            *(call(1, "dynamodb", "GetItem"), call(2, "dynamodb", "GetItem"), call(3, "dynamodb", "TransactWriteItems")),
            *(call(4, "oauth2", "oauth2/token"), call(5, "oauth2", "oauth2/authorize"), call(6, "jwks", "jwks")),
            *(call(7, "cognito", "RevokeToken", status=400, error="X"), call(8, "dynamodb", "Query", status=None)),
        ]
    )
    assert tally[:4] == (3, 1, 2, 1)
    assert str(tally) == "3 reads, 1 write, 2 calls to Cognito, the key set"
    assert ("DynamoDB", "GetItem", 2) in tally.operations
    assert {"RevokeToken (X)", "Query (no answer)"} <= {operation for _, operation, _ in tally.operations}


class Log:
    """A stack's log that grows by a call with each request."""

    def __init__(self):
        self.calls, self.numbers = [], count(1)

    def app(self, status=200, body="page " + PANEL, kind="text/html"):
        """An app that reads once for each request."""

        def handler(event, context):
            self.calls.append(call(next(self.numbers), "dynamodb", "GetItem"))
            return {"statusCode": status, "headers": {"Content-Type": kind}, "body": body}

        meter = Meter(lambda after: [call for call in self.calls if call.number > after])
        return Journal(meter, unobserved=("/app.css",)), handler


def cookie_of(answer):
    """The pair of the one cookie that the journal set."""
    (line,) = answer["cookies"]
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(line.split("; "))
    return line.partition(";")[0]


def test_the_panel_shows_the_requests_since_the_last_page():
    """Redirects are kept until the next page, for that browser alone, and shown once."""
    log = Log()
    journal, page = log.app()
    _, redirect = log.app(status=303, body="")
    mine = cookie_of(journal.around(redirect)(event("POST", "/sign-in"), None))
    shown = journal.around(page)(event("GET", "/a", cookies=[mine]), None)
    assert shown["body"].count('class="request"') == 2
    assert "cookies" not in shown
    assert journal.around(page)(event("GET", "/b", cookies=[mine]), None)["body"].count('class="request"') == 1
    assert journal.around(page)(event("GET", "/c"), None)["body"].count('class="request"') == 1


@pytest.mark.parametrize("value", ["", "x", "<script>", "0" * 31, "0" * 33, "../../etc"])
def test_a_panel_s_cookie_of_another_form_is_replaced(value):
    """It is a number of ours or nothing, and never shown."""
    log = Log()
    journal, page = log.app()
    answer = journal.around(page)(event("GET", "/", cookies=[f"__Host-demo-panel={value}"]), None)
    assert cookie_of(answer).partition("=")[2] != value
    assert "<script>" not in answer["body"]


def test_the_panel_says_what_it_cannot_tell_apart():
    """A request during which another one was served says so; one that was alone does not."""
    log = Log()
    journal, page = log.app()
    inner = journal.around(page)

    def outer(given, context):
        inner(event("GET", "/inner"), None)
        return page(given, context)

    said = "at the same time"
    assert said in journal.around(outer)(event("GET", "/outer"), None)["body"]
    assert said not in inner(event("GET", "/"), None)["body"]


def test_the_panel_leaves_other_answers_alone():
    """Files are not observed; what a script asked for gets a header, and no cookie."""
    log = Log()
    journal, _ = log.app()
    _, data = log.app(kind="application/json", body="{}")
    answer = journal.around(data)(event("GET", "/status"), None)
    assert answer["headers"]["X-Calls"] == "1 read, 0 writes, 0 calls to Cognito"
    assert "cookies" not in answer
    assert journal.around(data)(event("GET", "/app.css"), None)["headers"] == {"Content-Type": "application/json"}


def test_the_panel_remembers_few_browsers():
    """Of very many browsers the ones seen longest ago are forgotten."""
    log = Log()
    journal, redirect = log.app(status=303, body="")
    for _ in range(150):
        journal.around(redirect)(event("GET", "/login"), None)
    assert len(journal._browsers) == 100


def test_markup_escapes_by_default():
    """Text is text in content and attributes; only what was made here as HTML stands; None and False are nothing."""
    assert html('<a b="{x}">{x}</a>', x="\"<&'") == '<a b="&quot;&lt;&amp;&#x27;">&quot;&lt;&amp;&#x27;</a>'
    assert html("{a}{b}{c}{d}", a=html("<i>{x}</i>", x="<"), b=None, c=False, d=0) == "<i>&lt;</i>0"
    assert html("{x}", x=["<", Html("<br>")]) == "&lt;<br>"
    assert joined(["<", Html("<br>")], " ") == "&lt; <br>"
    assert html("{x}", x="{y}") == "{y}"


@pytest.mark.parametrize("template", ["{}", "{0}", "{missing}", "{x:>10}"])
def test_markup_refuses_what_is_no_template(template):
    """Positions, missing values and format specifications are mistakes."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        html(template, x="a")


def test_a_form_s_field_came_once_or_not_at_all():
    """Missing and repeated fields are None; a body that is no form, or no base64, is an empty form."""
    form = Form.of(event("POST", "/", body="a=1&b=2&b=3&c="))
    assert (form.one("a"), form.one("b"), form.one("c"), form.one("d")) == ("1", None, "", None)
    for body in ("%", "\x00", "=", "&" * 100):
        assert Form.of(event("POST", "/", body=body)).one("a") is None
    assert Form.of({"body": "?", "isBase64Encoded": True}) == {}
    assert Form.of({}) == {}


def test_a_return_address_is_a_path_of_this_site():
    """From a form and from a query alike, and as a parameter it survives."""
    for evil in ("//evil", "https://evil", "/\\evil", "/%2fevil"):
        assert Form.of(event("POST", "/", body=urlencode({"return_to": evil}))).return_to == "/"
        assert query_of(event("GET", "/?" + urlencode({"return_to": evil}))).return_to == "/"
    target = with_query("/sign-in", return_to="/a?b=c&d=e", username="")
    assert query_of(event("GET", target)).return_to == "/a?b=c&d=e"
    assert urlsplit(target).query.count("=") == 1


def test_every_refusal_has_its_sentence():
    """One for each reason, none of them the same."""
    assert len({sentence(why) for why in Refusal}) == len(Refusal)
    assert sentence(None) is None


def started(*arguments):
    """A served demo, and what it has said until it was ready."""
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
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
    """The address, the names and the passwords are printed; the end is quiet and the port is free."""
    process, said = started("--port", "0")
    address = re.search(r"http://localhost:\d+", said)[0]
    for person in PEOPLE:
        assert re.search(rf"{person.username} +{re.escape(person.password)}", said)
    assert Browser(address).get("/").status == 200
    status, rest, wrong = ended(process, number)
    assert (status, wrong) == (0, "")
    assert rest.strip().endswith("Stopped.")
    with pytest.raises(ConnectionRefusedError):
        Browser(address).get("/")


def test_a_taken_port_is_said_plainly():
    """Asked for a port that is taken, the demo names it and exits with 1, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert f"Port {port} is taken." in done.stdout
    assert done.stderr.startswith("The demo cannot run: no free port")
    assert "Traceback" not in done.stderr


def test_without_being_asked_the_next_free_port_is_taken(monkeypatch, world):
    """Where the usual port is taken, the demo says so and serves on the next one."""
    from examples.demo import __main__ as demo

    out = io.StringIO()
    with Gateway(lambda event, context: "taken") as first:
        monkeypatch.setattr(demo, "_PORT", first.port)
        with demo._gateway(world, None, out) as second:
            assert second.port > first.port
    assert f"Port {first.port} is taken." in out.getvalue()


WITHOUT_PYCURL = """
import runpy, sys
sys.modules["pycurl"] = None
sys.argv = ["demo", "--script"]
runpy.run_module("examples.demo", run_name="__main__")
"""


def test_the_script_without_pycurl():
    """With botocore alone every step passes: it signs with the stack's own keys, not with those of the process."""
    misleading = {"AWS_ACCESS_KEY_ID": "AKIAOFTHEPROCESS", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "of-the-process"}
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"], **misleading}
    command = [sys.executable, "-c", WITHOUT_PYCURL]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "All 15 steps as expected" in done.stdout
