"""The demo: the script that checks itself, the responses of the handler, the panel's counts, and how it starts and stops.

tests/browser checks the pages in a browser.
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

import httpx
import pytest
from jinja2 import UndefinedError

from cognito_session.local.gateway import Gateway
from cognito_session.local.request_log import LoggedRequest
from cognito_session.signin import Refusal
from examples.demo.__main__ import main
from examples.demo.browser import Browser
from examples.demo.call_counts import CallCounts, CallMeter
from examples.demo.call_panel import CallPanel
from examples.demo.deployment import ALICE, USERS, Deployment, base_url
from examples.demo.form import Form, query_of
from examples.demo.journey import COOKIE, Journey
from examples.demo.pages import PANEL, REFUSED, page, refused, with_query
from examples.demo.refusal_messages import message_for
from examples.demo.script import run

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "examples.demo"]
ADDRESS = "http://localhost:8000"
TITLES = [
    *("open the site", "wrong password", "sign in by form", "first request", "ordinary request", "time passes"),
    *("50 requests at once", "the new cookie", "a second device", "sign out that device", "a page for editors"),
    *("the same page for bob", "step up", "sign out", "the old cookie again"),
]
FORMS = [
    *("/sign-in", "/sign-in/choose", "/challenge", "/sign-out", "/sign-up", "/confirm", "/confirm/resend", "/forgot", "/reset"),
    *("/profile", "/devices/sign-out", "/transfer", "/password", "/authenticator/begin", "/authenticator"),
]
PAGES = ["/", "/sign-in", "/sign-up", "/forgot", "/reset", "/confirm", "/nothing"]


@pytest.fixture(scope="module")
def deployment():
    """One deployment for the tests that check responses."""
    with Deployment.started() as deployment:
        yield deployment


@pytest.fixture(scope="module")
def app(deployment):
    """The sample app's handler."""
    return deployment.app(ADDRESS)


@pytest.fixture
def gateway(deployment):
    """The served sample app. Removes injected faults afterwards."""
    with deployment.served() as gateway:
        yield gateway
    deployment.stack.clear_faults()


@pytest.fixture
def browser(gateway):
    """A browser without a session."""
    return Browser(base_url(gateway))


def signed_in(browser, user=ALICE):
    """The browser, signed in as the user."""
    assert browser.post("/sign-in", username=user.username, password=user.password).status == 303
    return browser


def event(method, target, headers=(), body="", cookies=()):
    """The event of a request."""
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
    """The response to a form of this site."""
    own = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded", **headers}
    return app(event("POST", path, own, urlencode(fields)), None)


def steps_of(text):
    """The mark and title of each printed step."""
    found = re.findall(r"^  (\S) +\d+  (.{24})", text, re.MULTILINE)
    return [(mark, title.strip()) for mark, title in found]


def script(**more):
    """The finished process of `python -m examples.demo --script`."""
    command = [*COMMAND, "--script"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, **more)


def test_the_script_passes_every_step():
    """`make demo ARGS=--script` prints a tick for every step, nothing on stderr, and exits with 0."""
    done = script()
    assert (done.returncode, done.stderr) == (0, "")
    assert steps_of(done.stdout) == [("✓", title) for title in TITLES]
    assert "50 served, 1 refresh call to Cognito" in done.stdout
    assert "All 15 steps passed" in done.stdout


def test_the_wheel_does_not_contain_the_demo(tmp_path):
    """The built wheel has the package and its metadata, and neither the examples nor their pages."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, capture_output=True, timeout=120, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"cognito_session"}
    assert [name for name in names if "demo" in name or name.endswith((".html", ".css", ".js"))] == []


def test_a_terminal_without_ticks_does_not_stop_the_script():
    """An output that cannot encode a tick shows a question mark instead."""
    done = script(env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "? " in done.stdout


@pytest.mark.parametrize(
    ("broken", "step"),
    [
        ("sign_in", "first request"),
        ("time_passes", "50 requests at once"),
        ("second_device", "sign out that device"),
        ("sign_out", "the old cookie again"),
    ],
)
def test_a_failing_step_is_named(monkeypatch, broken, step):
    """If a step has no effect, the step that depends on it is marked and named, and the exit status is 1."""
    monkeypatch.setattr(Journey, broken, lambda self: "left out")
    out = io.StringIO()
    assert main(["--script"], out) == 1
    assert steps_of(out.getvalue())[-1] == ("✗", step)
    assert f"({step}) failed" in out.getvalue()


def test_an_outage_fails_the_script():
    """An error of Cognito at the refresh fails the step."""
    out = io.StringIO()
    with Deployment.started() as deployment:
        deployment.stack.fault("GetTokensFromRefreshToken", "error500", times=None)
        assert run(deployment, 0, out) == 1
    assert "(50 requests at once) failed" in out.getvalue()


@pytest.mark.parametrize("path", [*PAGES, "/app.js", "/app.css", "/icon.svg", "/status", "/profile", "/login"])
def test_every_response_has_security_headers(app, path):
    """The policy allows nothing inline, browsers do not sniff types, and no cache stores a page."""
    headers = app(event("GET", path), None)["headers"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    static = path.startswith(("/app.", "/icon."))
    assert headers["Cache-Control"] == ("no-cache" if static else "no-store")


def test_a_file_is_immutable_under_its_version_only(app):
    """The pages name each file with its version. The response is immutable for this version, and for no other."""
    page = app(event("GET", "/"), None)["body"]
    addresses = re.findall(r'(?:href|src)="(/(?:app|icon)[^"]+)"', page)
    assert len(addresses) == 3
    for address in addresses:
        assert "immutable" in app(event("GET", address), None)["headers"]["Cache-Control"]
        assert app(event("GET", f"{address}0"), None)["headers"]["Cache-Control"] == "no-cache"


def test_the_profile_has_every_id_of_the_script(app, browser):
    """Every id that app.js names is on the profile, except the one of the passkey page."""
    wanted = set(re.findall(r'at\("([^"]+)"\)', app(event("GET", "/app.js"), None)["body"])) - {"passkey-problem"}
    on_the_page = set(re.findall(r'id="([^"]+)"', signed_in(browser).get("/profile").body))
    assert len(wanted) > 5
    assert wanted <= on_the_page


@pytest.mark.parametrize("name", [ALICE.username, '"><script>alert(1)</script>', "<!--panel-->", "{brace}", ""])
def test_typed_text_is_escaped(app, name):
    """The form shows the user name escaped, and the 401 does not tell whether the name or the password is wrong."""
    response = posted(app, "/sign-in", {"username": name, "password": "wrong"})
    assert (response["statusCode"], response["body"].count('role="alert" id="problem"')) == (401, 1)
    assert "<script>" not in response["body"]
    assert response["body"].count("</aside>") == 1
    assert not any(line.startswith(COOKIE) for line in response.get("cookies", []))


def test_an_outage_at_sign_in_is_not_a_wrong_password(deployment, app):
    """If Cognito is down, the response is a 503 with Retry-After and this site's own page."""
    deployment.stack.fault("InitiateAuth", "error500", times=None)
    response = posted(app, "/sign-in", {"username": ALICE.username, "password": ALICE.password})
    deployment.stack.clear_faults()
    assert response["statusCode"] == 503
    assert "Retry-After" in response["headers"]
    assert 'class="panel"' in response["body"]


def test_a_script_gets_json(deployment, browser):
    """A script gets the library's JSON, both without a session and in an outage."""
    assert browser.fetch("/profile").json()["reason"] == "no_cookie"
    assert browser.fetch("/status").json()["reason"] == "no_cookie"
    signed_in(browser)
    deployment.stack.fault("GetItem", "error500", times=None)
    for path in ("/profile", "/status"):
        reply = browser.fetch(path)
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
def test_a_post_from_another_site_is_refused(deployment, app, path, headers):
    """A POST without proof that it comes from this site is a 403 and makes no call to AWS."""
    deployment.stack.clear_calls()
    response = app(event("POST", path, headers, f"username={ALICE.username}&password={ALICE.password}"), None)
    assert response["statusCode"] == 403
    assert not any(line.startswith(COOKIE) for line in response.get("cookies", []))
    assert deployment.stack.calls() == []


def test_the_list_of_forms_is_complete(monkeypatch, deployment):
    """FORMS holds every path with a POST route. A GET of a path without a GET route is a 405."""
    from examples.demo import app as module

    seen, router = [], module._router
    monkeypatch.setattr(module, "_router", lambda routes: seen.append(routes) or router(routes))
    app = deployment.app(ADDRESS)
    (routes,) = seen
    assert sorted(path for method, path in routes if method == "POST") == sorted(FORMS)
    for path in FORMS:
        assert (app(event("GET", path), None)["statusCode"] == 405) is (("GET", path) not in routes)


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("body", ["", "username=a&username=b&password=c&password=d", "%", "=&=&=", "a=" + "x" * 100_000])
def test_malformed_forms(deployment, app, path, body):
    """Missing, repeated and very long fields get a page, and make no call to Cognito."""
    deployment.stack.clear_calls()
    response = app(event("POST", path, {"sec-fetch-site": "same-origin"}, body), None)
    assert response["statusCode"] in (200, 303, 400, 401)
    assert [call for call in deployment.stack.calls() if call.service == "cognito"] == []


@pytest.mark.parametrize(
    ("secret", "uri"),
    [
        ("", "otpauth://totp/a"),
        ("%", "otpauth://totp/a"),
        ("A", "otpauth://totp/a"),
        ("A" * 32, "javascript:alert(1)"),
        ("A" * 32, ""),
    ],
)
def test_a_changed_form_of_an_authenticator_app(browser, secret, uri):
    """A form with an invalid secret or link is a 400, and the page does not contain them."""
    signed_in(browser)
    reply = browser.post("/authenticator", code="12", secret=secret, uri=uri)
    assert reply.status == 400
    assert "Invalid form" in reply.body
    assert "javascript:" not in reply.body


@pytest.mark.parametrize("path", ["/", "/status", "/challenge", "/auth/callback", "/devices", "/login", "/confirm", "/reset"])
@pytest.mark.parametrize(
    "query", ["return_to=//evil", "done=<script>", "username=%ff%fe", "a=&&&", "sent=9999999999", "x" * 9000]
)
def test_malformed_queries(app, path, query):
    """A malformed query gets a page or a redirect within the site or to Cognito, and no page shows it unescaped."""
    response = app(event("GET", f"{path}?{query}"), None)
    assert response["statusCode"] in (200, 303, 400, 401)
    assert "<script>" not in response["body"]
    assert "//evil" not in response["headers"].get("Location", "").partition("?")[0]


def test_a_very_long_password(app):
    """A password of 100 kB is a wrong password."""
    response = posted(app, "/sign-in", {"username": ALICE.username, "password": "x" * 100_000})
    assert response["statusCode"] == 401


def test_an_unknown_sign_out_scope(browser):
    """An unknown value of `where` is a 400 and ends no session."""
    signed_in(browser)
    assert browser.post("/sign-out", where="nowhere").status == 400
    assert browser.fetch("/status").status == 200


def test_two_windows_save_at_once(deployment, browser):
    """If two requests save after reading the same row, the later write is a 409 and overwrites nothing."""
    signed_in(browser).get("/profile")
    with ThreadPoolExecutor(2) as threads, deployment.stack.gate("UpdateItem", times=2) as gate:
        saves = [threads.submit(browser.post, "/profile", accent="teal", note=note) for note in ("first", "second")]
        gate.wait_for(2)
        gate.release()
        statuses = [save.result(20).status for save in saves]
    assert sorted(statuses) == [303, 409]
    kept = ("first", "second")[statuses.index(303)]
    assert f'value="{kept}"' in browser.get("/profile").body


def call(number, service, operation, **more):
    """One entry of the stack's log."""
    return LoggedRequest(number, service, operation, 0.0, **{"status": 200, **more})


def test_call_counts():
    """Reads, writes and calls to Cognito are counted, pages of managed login are not, and errors are named."""
    counts = CallCounts.of(
        [
            *(call(1, "dynamodb", "GetItem"), call(2, "dynamodb", "GetItem"), call(3, "dynamodb", "TransactWriteItems")),
            *(call(4, "oauth2", "oauth2/token"), call(5, "oauth2", "oauth2/authorize"), call(6, "jwks", "jwks")),
            *(call(7, "cognito", "RevokeToken", status=400, error="X"), call(8, "dynamodb", "Query", status=None)),
        ]
    )
    assert counts[:4] == (3, 1, 2, 1)
    assert str(counts) == "3 reads, 1 write, 2 calls to Cognito, the key set"
    assert ("DynamoDB", "GetItem", 2) in counts.operations
    assert {"RevokeToken (X)", "Query (no response)"} <= {operation for _, operation, _ in counts.operations}


class Log:
    """A stack's log that gets one call for each request."""

    def __init__(self):
        self.calls, self.numbers = [], count(1)

    def app(self, status=200, body="page " + PANEL, kind="text/html"):
        """The panel, and an app that reads once for each request."""

        def handler(event, context):
            self.calls.append(call(next(self.numbers), "dynamodb", "GetItem"))
            return {"statusCode": status, "headers": {"Content-Type": kind}, "body": body}

        meter = CallMeter(lambda after: [call for call in self.calls if call.number > after])
        return CallPanel(meter, unobserved=("/app.css",)), handler


def cookie_of(response):
    """The name and value of the one cookie that the panel set."""
    (line,) = response["cookies"]
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(line.split("; "))
    return line.partition(";")[0]


def test_the_panel_shows_the_requests_since_the_last_page():
    """The next page of the same browser shows the redirects before it, once."""
    log = Log()
    panel, page = log.app()
    _, redirect = log.app(status=303, body="")
    mine = cookie_of(panel.around(redirect)(event("POST", "/sign-in"), None))
    shown = panel.around(page)(event("GET", "/a", cookies=[mine]), None)
    assert shown["body"].count('class="request"') == 2
    assert "cookies" not in shown
    assert panel.around(page)(event("GET", "/b", cookies=[mine]), None)["body"].count('class="request"') == 1
    assert panel.around(page)(event("GET", "/c"), None)["body"].count('class="request"') == 1


@pytest.mark.parametrize("value", ["", "x", "<script>", "0" * 31, "0" * 33, "../../etc"])
def test_a_panel_s_cookie_of_another_form_is_replaced(value):
    """A cookie that the panel did not make is replaced, and the page does not show it."""
    log = Log()
    panel, page = log.app()
    response = panel.around(page)(event("GET", "/", cookies=[f"__Host-demo-panel={value}"]), None)
    assert cookie_of(response).partition("=")[2] != value
    assert "<script>" not in response["body"]


def test_the_panel_reports_overlapping_requests():
    """A request that overlaps with another one says so; a request alone does not."""
    log = Log()
    panel, page = log.app()
    inner = panel.around(page)

    def outer(given, context):
        inner(event("GET", "/inner"), None)
        return page(given, context)

    note = "at the same time"
    assert note in panel.around(outer)(event("GET", "/outer"), None)["body"]
    assert note not in inner(event("GET", "/"), None)["body"]


def test_the_panel_does_not_change_other_responses():
    """A static file is not observed. A JSON response gets a header and no cookie."""
    log = Log()
    panel, _ = log.app()
    _, data = log.app(kind="application/json", body="{}")
    response = panel.around(data)(event("GET", "/status"), None)
    assert response["headers"]["X-Calls"] == "1 read, 0 writes, 0 calls to Cognito"
    assert "cookies" not in response
    assert panel.around(data)(event("GET", "/app.css"), None)["headers"] == {"Content-Type": "application/json"}


def test_the_panel_forgets_the_oldest_browsers():
    """The panel keeps the requests of the 100 browsers that were seen last."""
    log = Log()
    panel, redirect = log.app(status=303, body="")
    for _ in range(150):
        panel.around(redirect)(event("GET", "/login"), None)
    assert len(panel._browsers) == 100


def test_templates_escape_every_value():
    """A value is text in an attribute, also where a macro passes it on, and cannot end the attribute or the element."""
    body = page("forgot.html", me=None, username="\"><script>&'{{ me }}")["body"]
    assert 'value="&#34;&gt;&lt;script&gt;&amp;&#39;{{ me }}"' in body
    assert body.count("<script") == 1


def test_a_template_with_a_missing_value_is_an_error():
    """A template does not show an empty text for a value that the route forgot."""
    with pytest.raises(UndefinedError, match="username"):
        page("forgot.html", me=None)


@pytest.mark.parametrize("status", sorted(REFUSED | {400, 404, 405}))
def test_every_refusal_has_a_page(status):
    """Each status has a heading and a link to continue."""
    response = refused(status)
    assert response["statusCode"] == status
    assert re.search(r"<h1>[A-Z][^<]+</h1>", response["body"])
    assert response["body"].count('class="button"') == 1


def test_every_template_is_used():
    """Each file in templates/ is a page that a route names, or a part that another template includes."""
    folder = ROOT / "examples" / "demo"
    named = set()
    for path in [*folder.glob("*.py"), *(folder / "templates").glob("*.html")]:
        named |= set(re.findall(r'"(\w+\.html)"', path.read_text(encoding="utf-8")))
    assert named == {path.name for path in (folder / "templates").iterdir()}


def test_a_form_reads_fields_that_are_sent_once():
    """Missing and repeated fields are None. A body that is not a form, or not base64, is an empty form."""
    form = Form.of(event("POST", "/", body="a=1&b=2&b=3&c="))
    assert (form.one("a"), form.one("b"), form.one("c"), form.one("d")) == ("1", None, "", None)
    for body in ("%", "\x00", "=", "&" * 100):
        assert Form.of(event("POST", "/", body=body)).one("a") is None
    assert Form.of({"body": "?", "isBase64Encoded": True}) == {}
    assert Form.of({}) == {}


def test_a_return_address_is_a_path_of_this_site():
    """A form and a query return only paths of this site, and with_query keeps them."""
    for evil in ("//evil", "https://evil", "/\\evil", "/%2fevil"):
        assert Form.of(event("POST", "/", body=urlencode({"return_to": evil}))).return_to == "/"
        assert query_of(event("GET", "/?" + urlencode({"return_to": evil}))).return_to == "/"
    target = with_query("/sign-in", return_to="/a?b=c&d=e", username="")
    assert query_of(event("GET", target)).return_to == "/a?b=c&d=e"
    assert urlsplit(target).query.count("=") == 1


def test_every_refusal_has_its_message():
    """Each reason has a message of its own."""
    assert len({message_for(why) for why in Refusal}) == len(Refusal)
    assert message_for(None) is None


def started(*arguments):
    """The process of a served demo, and its output until it is ready."""
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.communicate(timeout=10)
        said += line
    return process, said


def ended(process, number):
    """Exit status, rest of stdout, and stderr after a signal."""
    process.send_signal(number)
    said, wrong = process.communicate(timeout=15)
    return process.returncode, said, wrong


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_without_a_traceback(number):
    """The demo prints its address, users and passwords. A signal stops it without a traceback and frees the port."""
    process, said = started("--port", "0")
    address = re.search(r"http://localhost:\d+", said)[0]
    for user in USERS:
        assert re.search(rf"{user.username} +{re.escape(user.password)}", said)
    assert Browser(address).get("/").status == 200
    status, rest, wrong = ended(process, number)
    assert (status, wrong) == (0, "")
    assert rest.strip().endswith("Stopped.")
    with pytest.raises(httpx.ConnectError):
        Browser(address).get("/")


def test_a_taken_port():
    """If the given port is taken, the demo names it and exits with 1, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert f"Port {port} is taken." in done.stdout
    assert done.stderr.startswith("The demo cannot run: no free port")
    assert "Traceback" not in done.stderr


def test_without_a_given_port_the_next_free_one_is_used(monkeypatch, deployment):
    """If the default port is taken, the demo says so and serves on the next one."""
    from examples.demo import __main__ as demo

    out = io.StringIO()
    with Gateway(lambda event, context: "taken") as first:
        monkeypatch.setattr(demo, "_PORT", first.port)
        with demo._gateway(deployment, None, out) as second:
            assert second.port > first.port
    assert f"Port {first.port} is taken." in out.getvalue()


WITHOUT_PYCURL = """
import runpy, sys
sys.modules["pycurl"] = None
sys.argv = ["demo", "--script"]
runpy.run_module("examples.demo", run_name="__main__")
"""


def test_the_script_without_pycurl():
    """With botocore only, every step passes, and requests are signed with the stack's keys, not with those of the process."""
    misleading = {"AWS_ACCESS_KEY_ID": "AKIAOFTHEPROCESS", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "of-the-process"}
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"], **misleading}
    command = [sys.executable, "-c", WITHOUT_PYCURL]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "All 15 steps passed" in done.stdout
