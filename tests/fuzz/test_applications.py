"""ASGI and WSGI: connections with any headers, path and query, around applications that answer anything.

An application's own headers must come out as they went in, but for caching; our cookies must all be there; and nobody is
served who did not bring the cookie.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache

from hypothesis import strategies as st

from cognito_session import SessionForbidden
from cognito_session.web import asgi, wsgi
from fuzz.harness import fuzz
from fuzz.kit import COOKIE, LOGIN, kit
from fuzz.shapes import TEXTS, one_in
from fuzz.test_lambda import _events

OURS = "__Host-session=fresh; Path=/; HttpOnly; Secure"
"""What an application below sends as a sign-in would."""

METHODS = one_in(5, TEXTS, st.sampled_from(["GET", "POST", "HEAD", "OPTIONS"]))
PATHS = one_in(3, TEXTS, st.sampled_from(["/", "/orders/7", "/\u00e4/\u20ac", "/\ud800", "//x", "/a%2fb"]))
ASKED = one_in(
    4,
    st.tuples(TEXTS, TEXTS),
    st.sampled_from(
        [
            *(("cookie", f"{COOKIE}=x"), ("cookie", "theme=dark"), ("Cookie", "SESSION"), ("cookie", "SESSION")),
            *(("cookie", "theme=dark; SESSION"), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")),
            *(("sec-fetch-mode", "navigate"), ("origin", "https://app.example"), ("origin", "https://evil.example")),
            *(("content-type", "text/plain"), ("x-csrf-token", "x"), ("accept", "text/html"), ("user-agent", "\u00e4")),
        ]
    ),
)
ANSWERED = one_in(
    3,
    st.tuples(TEXTS, TEXTS),
    st.sampled_from(
        [
            *(("content-type", "text/html"), ("Cache-Control", "public, max-age=60"), ("cache-control", "private")),
            *(
                ("vary", "accept"),
                ("Vary", "*"),
                ("set-cookie", "theme=dark"),
                ("Set-Cookie", f"{COOKIE}=own"),
                ("set-cookie", ""),
            ),
        ]
    ),
)
WILLS = st.sampled_from(["serves", "serves", "sends a cookie", "asks nobody", "forbids"])


def whole(pairs):
    """The headers, with the signed-in browser's cookie where it belongs."""
    return [(name, value.replace("SESSION", f"{COOKIE}={kit().cookie}")) for name, value in pairs]


def check(will, given, made, me):
    """What the application's headers have become, and our cookies; both as lower-case names and texts."""
    given = [(name.lower(), value) for name, value in given]
    made = [(name.lower(), value) for name, value in made]
    if will == "asks nobody":
        assert made == given
        return
    caching = ("cache-control", "vary")
    own = [pair for pair in given if pair[0] not in caching]
    replaced = any(name == "set-cookie" and value.partition("=")[0].strip() == COOKIE for name, value in own)
    ours = [("set-cookie", OURS)] if will == "sends a cookie" and not replaced else []
    assert [pair for pair in made if pair[0] not in caching] == own + ours
    said = {name: value for name, value in made if name in caching}
    assert {"no-store", "private"} & {part.strip().lower() for part in said["cache-control"].split(",")}
    assert {"cookie", "*"} & {part.strip().lower() for part in said["vary"].split(",")}
    assert me is None or me.sub == kit().sub


def verdict(begun, status, me):
    """How it ended."""
    if not begun:
        assert status in (303, 401, 403, 500, 503)
        return f"refused {status}"
    return "served" if me is not None else "nobody"


@lru_cache(maxsize=1)
def runner():
    """One event loop for all of them."""
    return asyncio.Runner()


def latin(pairs):
    """Headers as ASGI has them: bytes."""
    return [(name.encode("utf-8", "surrogatepass"), value.encode("utf-8", "surrogatepass")) for name, value in pairs]


@st.composite
def _scopes(draw: st.DrawFn):
    """The scope of a request or of a WebSocket handshake; below Mangum also with Lambda's event."""
    path, query = draw(PATHS), draw(TEXTS).encode("utf-8", "surrogatepass")
    scope = {
        "type": draw(st.sampled_from(["http", "http", "http", "websocket", "lifespan"])),
        "path": path,
        "query_string": query,
    }
    scope["headers"] = latin(whole(draw(st.lists(ASKED, max_size=5))))
    if scope["type"] == "http":
        scope["method"] = draw(METHODS)
    if draw(st.booleans()):
        scope["raw_path"] = draw(st.sampled_from([b"", path.encode("utf-8", "surrogatepass"), b"/\xff?x"]))
    if draw(st.integers(1, 4)) == 1:
        scope["aws.event"] = draw(_events())
    if draw(st.integers(1, 4)) == 1:
        scope["extensions"] = draw(st.sampled_from([None, {}, {"websocket.http.response": {}}]))
    return scope


@fuzz(
    sees={"served", "nobody", "refused 403", "closed", "accepted", "no request"},
    rarely={"refused 401"},
    scope=_scopes(),
    answered=st.lists(ANSWERED, max_size=4),
    will=WILLS,
)
def test_any_asgi_connection(scope, answered, will):
    """Every connection ends as the application says, or with a refusal or a close code; its headers come out whole."""
    found, sent = [], []

    async def application(scope, _receive, send):
        if scope["type"] == "lifespan":
            return
        if will != "asks nobody":
            visit = asgi.request_session_of(scope)
            found.append(await visit.asession())
            if will == "forbids":
                raise SessionForbidden if found[0] else visit.required_of(None)
            if will == "sends a cookie":
                visit.send([OURS])
        kind = "http.response.start" if scope["type"] == "http" else "websocket.accept"
        await send({"type": kind, "status": 200, "headers": latin(answered)})

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    app = asgi.CognitoSessionMiddleware(application, kit().asynchronous, login_path=LOGIN)
    runner().run(app(dict(scope), receive, send))
    me = found[0] if found else None
    assert me is None or kit().cookie in repr(scope)
    if scope["type"] == "lifespan":
        assert not sent
        return "no request"
    headers = [tuple(part.decode("utf-8", "surrogatepass") for part in pair) for pair in sent[0].get("headers", [])]
    if sent[0]["type"] == "websocket.close":
        assert sent[0]["code"] in (1008, 1011, 1013)
        return "closed"
    if sent[0]["type"] == "websocket.accept":
        assert [pair for pair in headers if pair[1] != OURS] == [(n, v) for n, v in answered if v != OURS]
        return "accepted"
    begun = len(sent) == 1
    if begun:
        check(will, answered, headers, me)
    return verdict(begun, sent[0]["status"], me)


@st.composite
def _environs(draw: st.DrawFn):
    """A WSGI environ, as a server makes it and as no server should; below an adapter with Lambda's event."""
    environ = {
        "REQUEST_METHOD": draw(METHODS),
        "PATH_INFO": draw(PATHS),
        "SCRIPT_NAME": draw(one_in(3, TEXTS, st.just(""))),
        "QUERY_STRING": draw(TEXTS),
    }
    for name, value in whole(draw(st.lists(ASKED, max_size=5))):
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
    if draw(st.integers(1, 4)) == 1:
        environ[draw(st.sampled_from(["apig_wsgi.full_event", "serverless.event", "awsgi.event"]))] = draw(_events())
    for name in draw(st.sets(st.sampled_from(list(environ)), max_size=1)):
        del environ[name]
    return environ


@fuzz(
    sees={"served", "nobody", "refused 403"},
    rarely={"refused 401", "refused 303"},
    environ=_environs(),
    answered=st.lists(ANSWERED, max_size=4),
    will=WILLS,
)
def test_any_wsgi_environ(environ, answered, will):
    """Every request ends as the application says, or with a refusal; its headers come out whole."""
    found, started = [], []

    def application(environ, start_response):
        if will != "asks nobody":
            visit = wsgi.request_session_of(environ)
            found.append(visit.session())
            if will == "forbids":
                raise SessionForbidden if found[0] else visit.required_of(None)
            if will == "sends a cookie":
                visit.send([OURS])
        start_response("200 OK", list(answered))
        return [b"body"]

    def start_response(status, headers, _exc_info=None):
        started.append((int(status[:3]), headers))

    body = b"".join(wsgi.CognitoSessionMiddleware(application, kit().manager, login_path=LOGIN)(environ, start_response))
    me = found[0] if found else None
    assert me is None or kit().cookie in repr(environ)
    ((status, headers),) = started
    if body == b"body":
        check(will, answered, headers, me)
    return verdict(body == b"body", status, me)
