"""The same FastAPI application below Mangum in Lambda: every event form's cookies in, every Set-Cookie out.

What a gateway makes of an answer is read here by a model of its own, not by the code that wrote it. Annotations are not
postponed in this file: FastAPI reads those of endpoints, and here they name objects of a function.
"""

import asyncio
import json
from typing import Annotated, Any, NamedTuple

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from mangum import Mangum

from cognito_session import Session, current_session
from cognito_session.web.aws_lambda import event as lambda_event
from cognito_session.web.fastapi import CognitoAuth
from support.stack import COOKIE, cookie_of, fresh, make_app, shared_stack

GET_TOKENS = "GetTokensFromRefreshToken"
READ = "GetItem"
FORMS = ["rest", "http-v1", "http-v2", "alb", "alb-multi"]
HOST = "app.example"


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """A pool and a table of one row per user."""
    return make_app(stack)


@pytest.fixture(params=FORMS)
def form(request):
    """Each form that Mangum knows and we answer for."""
    return request.param


@pytest.fixture
def cookie(app):
    """The cookie of a session that has been used."""
    manager = app.manager()
    me = cookie_of(manager.establish(app.sign_in(app.user())))
    assert manager.resolve(me).session.set_cookies == ()
    app.stack.clear_calls()
    return me


class Context:
    """Lambda's context, as far as it is read."""

    def __init__(self, milliseconds: int = 30_000) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


class Answer(NamedTuple):
    """What a browser receives of an answer: lower-case names, each header that the gateway sends."""

    status: int
    headers: list[tuple[str, str]]
    body: str

    def all(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found == name]

    @property
    def cookies(self) -> list[str]:
        return self.all("set-cookie")


def event_of(form: str, path: str, method: str, cookies: list[str], headers: dict[str, str]) -> dict[str, Any]:
    """The event that a gateway makes of a request with these Cookie headers."""
    named = {"Host": HOST, **headers}
    many = {name: [value] for name, value in named.items()} | ({"Cookie": cookies} if cookies else {})
    last = {name: values[-1] for name, values in many.items()}
    if form == "http-v2":
        http = {"method": method, "path": path, "sourceIp": "127.0.0.1"}
        pairs = [pair.strip() for header in cookies for pair in header.split(";")]
        lower = {name.lower(): value for name, value in named.items()}
        event = {"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": lower, "requestContext": {"http": http}}
        return {**event, **({"cookies": pairs} if pairs else {}), "isBase64Encoded": False}
    event = {"path": path, "httpMethod": method, "queryStringParameters": None, "body": None, "isBase64Encoded": False}
    if form.startswith("alb"):
        sent = {"multiValueHeaders": many} if form == "alb-multi" else {"headers": last}
        lower = {kind: {name.lower(): value for name, value in values.items()} for kind, values in sent.items()}
        return {**event, **lower, "requestContext": {"elb": {"targetGroupArn": "arn"}}}
    event |= {"headers": last, "multiValueHeaders": many, "multiValueQueryStringParameters": None}
    context = {"stage": "prod", "httpMethod": method, "identity": {"sourceIp": "127.0.0.1"}}
    return {**event, "requestContext": context, **({"version": "1.0"} if form == "http-v1" else {}), "resource": "/{proxy+}"}


def gateway(form: str, answer: dict[str, Any]) -> Answer:
    """What the gateway sends on.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html#respond-to-load-balancer
    """
    single, many = answer.get("headers") or {}, answer.get("multiValueHeaders") or {}
    if form == "alb":
        assert not many, "without multi-value headers a load balancer takes no list"
    if form == "alb-multi":
        assert not single, "with multi-value headers a load balancer takes nothing else"
    pairs = [(name, value) for name, values in many.items() for value in values]
    pairs += [(name, value) for name, value in single.items() if name not in many]
    if form == "http-v2":
        assert not many
        assert "set-cookie" not in {name.lower() for name in single}
        pairs += [("set-cookie", line) for line in answer.get("cookies", [])]
    return Answer(answer["statusCode"], [(name.lower(), value) for name, value in pairs], answer["body"])


class Function:
    """The application as a Lambda function behind one kind of gateway."""

    def __init__(self, api: FastAPI, form: str) -> None:
        self._handler = Mangum(api, lifespan="off")
        self._form = form

    def __call__(
        self, path: str, *cookies: str, method: str = "GET", context: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        event = event_of(self._form, path, method, list(cookies), headers or {})
        return gateway(self._form, self._handler(event, context or Context()))


@pytest.fixture
def loop():
    """An event loop for Mangum, which looks for the thread's own."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield made
    asyncio.set_event_loop(None)
    made.close()


@pytest.fixture(params=["async", "sync"])
def function(app, form, loop, request):
    """The function, with a manager of either kind."""
    return Function(site(app, app.async_manager() if request.param == "async" else app.manager()), form)


def site(app, sessions) -> FastAPI:
    """An application like any other: it knows nothing of Lambda."""
    api, auth = FastAPI(), CognitoAuth(sessions, login_path="/login")
    auth.init_app(api)
    me_type = Annotated[Session, Depends(auth.required)]

    @api.get("/me")
    def mine(me: me_type, response: Response) -> dict[str, Any]:
        response.set_cookie("theme", "dark")
        response.set_cookie("seen", "1")
        return {"sub": me.sub, "same": current_session() is me}

    @api.get("/moved")
    async def moved(me: me_type) -> Response:
        return RedirectResponse("/elsewhere", 303)

    @api.get("/gone")
    async def gone(me: me_type) -> None:
        raise HTTPException(410, "gone")

    @api.get("/broken")
    async def broken(me: me_type) -> None:
        raise KeyError("bug")

    @api.get("/public")
    async def public() -> str:
        return "hello"

    @api.post("/in")
    async def sign_in(request: Request) -> None:
        await auth.establish(request, app.sign_in(app.user()))

    return api


def test_the_session_is_served(app, function, cookie):
    """The cookie is found wherever the event puts it, and the answer is kept by nobody."""
    answer = function("/me", cookie)
    assert (answer.status, json.loads(answer.body)["same"]) == (200, True)
    assert (answer.all("cache-control"), answer.all("vary")) == (["no-store"], ["Cookie"])
    assert [line.partition("=")[0] for line in answer.cookies] == ["theme", "seen"]
    assert app.stack.count(READ) == 1


def test_every_cookie_survives(app, function, cookie):
    """Beside two of the application's own the refreshed cookie arrives, in every form of answer."""
    app.expire()
    answer = function("/me", cookie)
    assert sorted(line.partition("=")[0] for line in answer.cookies) == ["seen", "theme", COOKIE]
    again = next(line for line in answer.cookies if line.startswith(f"{COOKIE}="))
    assert function("/me", again.partition(";")[0]).status == 200
    assert app.stack.count(GET_TOKENS) == 1


@pytest.mark.parametrize(("path", "status"), [("/moved", 303), ("/gone", 410)])
def test_on_redirects_and_errors_too(app, function, cookie, path, status):
    """The refreshed cookie goes out with a redirect and with an error."""
    app.expire()
    answer = function(path, cookie)
    assert (answer.status, [line.partition("=")[0] for line in answer.cookies]) == (status, [COOKIE])


def test_refusals(app, function, cookie):
    """401 for a program, the way to sign in for a person, 503 in an outage that leaves the public page alone."""
    answer = function("/me")
    assert (answer.status, json.loads(answer.body)["reason"], answer.cookies) == (401, "no_cookie", [])
    answer = function("/me", headers={"Accept": "text/html"})
    assert (answer.status, answer.all("location")) == (303, ["/login?return_to=/me"])
    app.stack.fault(READ, "error500", times=None)
    answer = function("/me", cookie)
    assert (answer.status, answer.cookies, len(answer.all("retry-after"))) == (503, [], 1)
    assert function("/public", cookie).status == 200


def test_several_cookie_headers(form, function, cookie):
    """A request that brings the cookie in one of two Cookie headers is served, though Mangum joins them by a comma."""
    assert function("/me", "x=1; y=2", cookie).status == 200
    # Without multi-value headers a load balancer hands on the last one only: what is not there cannot be found.
    assert function("/me", cookie, "x=1").status == (401 if form == "alb" else 200)


def test_signing_in(app, function):
    """A sign-in from our own page gets its cookie, from another site a 403."""
    answer = function("/in", method="POST", headers={"Origin": f"https://{HOST}"})
    assert (answer.status, len(answer.cookies)) == (200, 1)
    assert function("/me", answer.cookies[0].partition(";")[0]).status == 200
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert function("/in", method="POST", headers=headers).status == 403


def test_no_refresh_is_begun_that_lambda_would_cut_short(app, function, cookie, monkeypatch):
    """With 3 s left a refresh is not begun: 503; the next invocation does it."""
    monkeypatch.setattr(lambda_event, "_warned", [True])
    app.expire()
    assert function("/me", cookie, context=Context(3_000)).status == 503
    assert app.stack.count(GET_TOKENS) == 0
    assert function("/me", cookie).status == 200


def test_an_unhandled_error_loses_no_session(app, function, cookie, caplog):
    """Mangum's or Starlette's 500 goes out without the cookie; the next request is sent it."""
    app.expire()
    answer = function("/broken", cookie)
    assert (answer.status, answer.cookies) == (500, [])
    assert "bug" in caplog.text
    assert COOKIE in {line.partition("=")[0] for line in function("/me", cookie).cookies}
    assert app.stack.count(GET_TOKENS) == 1
