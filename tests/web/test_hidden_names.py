"""Header names that a WSGI server spells alike: `Sec_Fetch_Site`, which scripts may set, under the name of Sec-Fetch-Site."""

import http.client
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import flask
import pytest

from cognito_session.http.csrf import Csrf, CsrfVerdict
from cognito_session.http.request import Request
from cognito_session.web.flask import CognitoSession
from cognito_session.web.wsgi import CognitoSessionMiddleware, request_of

OURS, EVIL = "https://app.example", "https://evil.example"


def environ_of(**headers):
    """A POST's environ; header names with underscores."""
    named = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "HTTP_HOST": "app.example", **named}


@pytest.mark.parametrize(
    ("site", "origin", "passes"),
    [
        ("same-origin", EVIL, False),
        ("none", EVIL, False),
        ("same-origin", "null", False),
        ("same-origin", "", False),
        ("same-origin", f"{OURS}, {EVIL}", False),
        ("same-origin", f"http://{OURS[8:]}", False),
        ("same-origin", OURS, True),
        ("same-origin", None, True),
        ("none", None, True),
        ("same-origin", "https://trusted.example", True),
        ("cross-site", "https://trusted.example", True),
        ("cross-site", OURS, False),
        ("cross-site,same-origin", OURS, False),
    ],
)
def test_under_wsgi_origin_must_agree(site, origin, passes):
    """Browsers send Origin with what changes something, and no script can choose it."""
    headers = {"sec_fetch_site": site, **({} if origin is None else {"origin": origin})}
    csrf = Csrf(trusted_origins=["https://trusted.example"])
    assert (csrf.verdict(request_of(environ_of(**headers))) is CsrfVerdict.PASSES) is passes


def test_where_names_keep_their_spelling_the_browser_s_header_decides():
    """ASGI and events: there a header of another spelling is another header."""
    told = {"host": ("app.example",), "origin": (EVIL,)}
    named = {**told, "sec_fetch_site": ("same-origin",)}
    assert Csrf().verdict(Request("POST", "/", "", named)) is CsrfVerdict.REFUSED


@pytest.fixture(params=["wsgi", "flask"])
def site(request, app):
    """A server that drops no underscores, and what reached the application."""
    reached = []
    if request.param == "flask":
        application = flask.Flask(__name__)
        application.add_url_rule("/", "page", lambda: reached.append(1) or "ok", methods=["POST"])
        CognitoSession(application, app.manager())
    else:

        def inner(environ, start_response):
            reached.append(1)
            start_response("200 OK", [])
            return [b"ok"]

        application = CognitoSessionMiddleware(inner, app.manager())

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_):
            pass

    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port, reached
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("real", [None, "cross-site"])
def test_the_attack_over_http(site, real):
    """A script of another site with `Sec_Fetch_Site: same-origin`, from browsers new and old."""
    port, reached = site
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Sec_Fetch_Site": "same-origin", "Origin": EVIL, **({} if real is None else {"Sec-Fetch-Site": real})}
    connection.request("POST", "/", b"", headers)
    assert connection.getresponse().status == 403
    connection.close()
    assert reached == []


def test_no_hook_of_the_application_runs_before_the_check(app):
    """Hooks, URL processors and signals, registered before the extension and after it, of the application and of blueprints."""
    ran = []
    application, pages = flask.Flask(__name__), flask.Blueprint("pages", __name__)
    application.before_request(lambda: ran.append("before"))
    application.url_value_preprocessor(lambda *_: ran.append("values"))
    CognitoSession(application, app.manager())
    application.before_request_funcs[None].insert(0, lambda: ran.append("first"))
    pages.before_app_request(lambda: ran.append("blueprint's, everywhere"))
    pages.before_request(lambda: ran.append("blueprint's"))
    pages.add_url_rule("/", "page", lambda: "ok", methods=["POST"])
    application.register_blueprint(pages)
    flask.request_started.connect(lambda *_, **__: ran.append("signal"), application, weak=False)
    client = application.test_client()
    assert client.post("/", headers={"Sec-Fetch-Site": "cross-site", "Origin": EVIL}).status_code == 403
    assert ran == []
    assert client.post("/", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert len(ran) == 6
