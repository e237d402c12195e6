"""CognitoAuth: guards as dependencies, cookies on whatever an endpoint returns or raises, and what OpenAPI says of it.

Annotations are not postponed in this file: FastAPI reads those of endpoints, and here they name objects of a function.
"""

import asyncio
import subprocess
import sys
import textwrap
from collections import Counter
from typing import Annotated, Any

import httpx
import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Depends,
    FastAPI,
    Request,
    Response,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.responses import JSONResponse, RedirectResponse

from cognito_session import (
    ConfigurationError,
    Session,
    SessionError,
    SessionForbidden,
    SessionRequired,
    SessionUnavailable,
    current_session,
)
from cognito_session.web.fastapi import CognitoAuth
from support.sealing_keys import ring
from support.stack import COOKIE, cookie_of, done, fresh, make_app, shared_stack
from support.starlette_client import OURS, SITE, WebSocketDenialResponse, client_of, cookies_in

GET_TOKENS = "GetTokensFromRefreshToken"
READ = "GetItem"
KEYS = ring(1)
PAGE = {"accept": "text/html"}


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """A pool with a group, and a table of one row per user."""
    return make_app(stack, groups=("admin",))


@pytest.fixture(params=["async", "sync"])
def sessions(app, request):
    """A manager of either kind."""
    return app.async_manager() if request.param == "async" else app.manager()


@pytest.fixture
def auth(sessions):
    """The dependencies."""
    return CognitoAuth(sessions, login_path="/login")


def signed_in(app, **settings) -> str:
    """The cookie of a session that has been used."""
    manager = app.manager()
    cookie = cookie_of(manager.establish(app.sign_in(app.user(**settings))))
    assert manager.resolve(cookie).session.set_cookies == ()
    app.stack.clear_calls()
    return cookie


@pytest.fixture
def cookie(app):
    """A signed-in browser's Cookie header."""
    return signed_in(app)


def site(auth: CognitoAuth) -> FastAPI:
    """An application with an endpoint for each way to answer."""
    api = FastAPI()
    auth.init_app(api)
    me_type = Annotated[Session, Depends(auth.required)]
    maybe_type = Annotated[Session | None, Depends(auth.optional)]
    admin_type = Annotated[Session, Depends(auth.require(any_group=["admin"]))]

    @api.get("/maybe")
    async def maybe(me: maybe_type) -> dict[str, Any]:
        return {"sub": me and me.sub}

    @api.get("/me")
    async def mine(me: me_type) -> dict[str, Any]:
        return {"sub": me.sub, "same": current_session() is me}

    @api.get("/sync")
    def sync(me: me_type) -> dict[str, Any]:
        return {"sub": me.sub, "same": current_session() is me}

    @api.get("/all")
    async def everything(me: me_type, maybe: maybe_type, again: Annotated[Session, Depends(auth.require())]) -> bool:
        return me is maybe is again

    @api.get("/admin")
    async def admin(me: admin_type) -> str:
        return me.sub

    @api.get("/invalid")
    async def invalid(me: maybe_type, number: int) -> int:
        return number

    @api.get("/public")
    async def public() -> str:
        return "hello"

    @api.post("/change")
    async def change(me: me_type) -> str:
        return me.sub

    return api


def test_who_is_asking(app, auth, cookie):
    """Optional and required, in async and sync endpoints: the session, current_session() the same one, for one read."""
    client = client_of(site(auth), cookie)
    sub = client.get("/maybe").json()["sub"]
    assert sub
    assert client.get("/me").json() == {"sub": sub, "same": True}
    assert client.get("/sync").json() == {"sub": sub, "same": True}
    assert done(app.stack) == [READ] * 3


def test_one_question_a_request(app, auth, cookie):
    """An endpoint behind three guards asks once, and each guard gives the very same session."""
    assert client_of(site(auth), cookie).get("/all").json() is True
    assert done(app.stack) == [READ]


def test_a_path_that_is_not_there_asks_nobody(app, auth, cookie):
    """The router's own 404 does not depend on the cookie, and does not say so."""
    response = client_of(site(auth), cookie).get("/missing")
    assert (response.status_code, response.headers.keys() & {"cache-control", "vary"}) == (404, set())
    assert app.stack.calls() == []


@pytest.mark.parametrize(("path", "status"), [("/me", 200), ("/sync", 200), ("/invalid?number=x", 422)])
def test_a_refreshed_cookie_goes_out_with_a_plain_value_and_a_validation_error(app, auth, cookie, path, status):
    """With responses that FastAPI makes itself: the new cookie is there once."""
    app.expire()
    response = client_of(site(auth), cookie).get(path)
    assert response.status_code == status
    assert [line.partition("=")[0] for line in cookies_in(response)] == [COOKIE]
    assert response.headers["cache-control"] == "no-store"
    assert app.stack.count(GET_TOKENS) == 1


def test_an_unhandled_error_loses_no_session(app, auth, cookie):
    """The application's 500 goes out as it is; the next request is sent the cookie that it did not bring."""
    api = site(auth)

    @api.get("/broken")
    async def broken(me: Annotated[Session, Depends(auth.required)]) -> None:
        raise KeyError("bug")

    @api.exception_handler(Exception)
    async def sorry(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"sorry": type(error).__name__}, 500)

    app.expire()
    response = client_of(api, cookie, raise_server_exceptions=False).get("/broken")
    assert (response.status_code, response.json(), cookies_in(response)) == (500, {"sorry": "KeyError"}, [])
    assert len(cookies_in(client_of(api, cookie).get("/me"))) == 1
    assert app.stack.count(GET_TOKENS) == 1


async def test_fifty_requests_at_expiry_are_one_refresh(app, cookie):
    """50 requests at once through sync and async endpoints: one refresh call, 50 served."""
    transport = httpx.ASGITransport(app=site(CognitoAuth(app.async_manager())))
    app.expire()
    async with httpx.AsyncClient(transport=transport, base_url=SITE, headers={"cookie": cookie}) as client:
        asked = (client.get(("/me", "/sync")[number % 2]) for number in range(50))
        responses = await asyncio.wait_for(asyncio.gather(*asked), 40)
    assert Counter(response.status_code for response in responses) == {200: 50}
    assert app.stack.count(GET_TOKENS) == 1


# --- Guards


def test_groups_scopes_and_age(app, auth):
    """Each demand of `require` is met or is a 403 that names it; a stale sign-in is told apart, for programs and people."""
    api = site(auth)
    demands = {"scopes": {"scopes": ["aws.cognito.signin.user.admin"]}, "none": {"scopes": ["x/y"]}, "recent": {"max_age": 300}}
    for name, demand in demands.items():
        api.add_api_route(f"/{name}", lambda: "ok", dependencies=[Depends(auth.require(**demand))])
    api.add_api_route("/both", lambda: "ok", dependencies=[Depends(auth.require(all_groups=["admin", "root"]))])
    client = client_of(api, signed_in(app, groups=["admin"]))
    assert [client.get(path).status_code for path in ("/admin", "/scopes", "/recent")] == [200, 200, 200]
    assert client.get("/both").json() == {"error": "forbidden", "reason": "group_required"}
    assert client.get("/none").json() == {"error": "forbidden", "reason": "scope_required"}
    app.stack.advance(301)
    response = client.get("/recent")
    assert (response.status_code, response.json()["reason"]) == (403, "stale_sign_in")
    response = client.get("/recent", headers=PAGE)
    assert (response.status_code, response.headers["content-type"]) == (403, "text/html; charset=utf-8")


@pytest.mark.parametrize("demand", [{"any_group": "admin"}, {"all_groups": "admin"}, {"scopes": "a/b"}])
def test_a_text_in_place_of_a_list_is_refused_at_once(auth, demand):
    """A guard for the letters of "admin" is never made."""
    with pytest.raises(ConfigurationError, match="list of names"):
        auth.require(**demand)


def test_guards_of_routers_and_applications(app, auth, cookie):
    """A router's or the whole application's dependencies guard every route below, still at one read a request."""
    api = FastAPI(dependencies=[Depends(auth.optional)])
    auth.init_app(api)
    router = APIRouter(prefix="/area", dependencies=[Depends(auth.required)])

    @router.get("/inside")
    def inside() -> str:
        me = current_session()
        return me.sub if me else "nobody"

    api.include_router(router)
    assert client_of(api).get("/area/inside").status_code == 401
    assert len(client_of(api, cookie).get("/area/inside").json()) == 36
    assert done(app.stack) == [READ]


def test_overriding_optional_replaces_every_guard(app, auth, cookie):
    """One override in a test: all guards see the stand-in, its groups count, None is a 401, and nothing is read."""
    me = app.manager().resolve(cookie).session
    app.stack.clear_calls()
    api = site(auth)
    client = client_of(api)
    api.dependency_overrides[auth.optional] = lambda: me
    assert client.get("/maybe").json()["sub"] == client.get("/me").json()["sub"] == client.get("/sync").json()["sub"] == me.sub
    assert client.get("/admin").status_code == 403
    api.dependency_overrides[auth.optional] = lambda: None
    assert [client.get(path).status_code for path in ("/me", "/admin", "/maybe")] == [401, 401, 200]
    assert app.stack.calls() == []


def test_without_init_app_it_says_what_to_do(auth):
    """A guard on an application that has no middleware is a ConfigurationError that names init_app."""
    api = FastAPI()
    api.add_api_route("/", lambda: "ok", dependencies=[Depends(auth.required)])
    with pytest.raises(ConfigurationError, match="init_app"):
        client_of(api).get("/")


def test_a_dependency_with_yield_sees_the_refusal(auth):
    """A guard's error passes through other dependencies' clean-up like any exception of an endpoint."""
    api, seen = FastAPI(), []
    auth.init_app(api)

    async def resource():
        try:
            yield "x"
        except SessionError as error:
            seen.append(error.reason)
            raise

    @api.get("/")
    async def page(used: Annotated[str, Depends(resource)]) -> None:
        raise SessionForbidden("x", reason="group_required")

    assert client_of(api).get("/").status_code == 403
    assert seen == ["group_required"]


@pytest.mark.parametrize("late", [False, True], ids=["before init_app", "after"])
def test_an_application_s_own_answer_goes_first(auth, late):
    """An exception handler of the application for our errors is kept, and may begin with ours: error.respond()."""
    api = FastAPI()

    async def own(request: Request, error: SessionError) -> Response:
        response = error.respond()
        response.headers["x-own"] = "yes"
        return response

    if not late:
        api.add_exception_handler(SessionError, own)
    auth.init_app(api)
    if late:
        api.add_exception_handler(SessionError, own)
    api.add_api_route("/", lambda: "ok", dependencies=[Depends(auth.required)])
    response = client_of(api).get("/", headers=PAGE)
    assert (response.status_code, response.headers["x-own"]) == (303, "yes")
    assert response.headers["location"] == "/login?return_to=/"


# --- Signing in and out


def test_sign_in_and_sign_out_by_whatever_is_returned(app, sessions, auth):
    """`establish` and `sign_out` send their cookies with a plain value; the old session of the browser is ended."""
    api, user = site(auth), app.user()

    @api.post("/in")
    async def sign_in(request: Request) -> dict[str, str]:
        me = await auth.establish(request, app.sign_in(user))
        return {"sub": me.sub}

    @api.post("/out")
    async def leave(request: Request, me: Annotated[Session | None, Depends(auth.optional)]) -> RedirectResponse:
        await auth.sign_out(request)
        return RedirectResponse("/", 303)

    client = client_of(api)
    response = client.post("/in", headers=OURS)
    assert (response.json(), len(cookies_in(response)), response.headers["cache-control"]) == ({"sub": user.sub}, 1, "no-store")
    assert client.get("/me").json()["sub"] == user.sub
    app.expire()
    response = client.post("/out", headers=OURS)
    assert cookies_in(response) == [f"{COOKIE}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"]
    assert client.get("/me").status_code == 401


def test_a_sign_in_wins_over_the_refresh_of_the_old_session(app, auth, cookie):
    """A browser whose old session was refreshed in the very request that signs in keeps the new session's cookie."""
    api, user = site(auth), app.user()

    @api.post("/in")
    async def sign_in(request: Request, old: Annotated[Session, Depends(auth.required)]) -> str:
        await auth.establish(request, app.sign_in(user))
        return old.sub

    app.expire()
    response = client_of(api, cookie).post("/in", headers=OURS)
    (line,) = cookies_in(response)
    assert response.json() != user.sub
    assert client_of(api, line.partition(";")[0]).get("/me").json()["sub"] == user.sub


def test_a_refused_sign_in_sends_no_cookie(auth):
    """What is no AuthenticationResult begins no session: the operator's 500, nothing set."""
    api = site(auth)

    @api.post("/in")
    async def sign_in(request: Request) -> None:
        await auth.establish(request, {"AccessToken": "x"})

    response = client_of(api).post("/in", headers=OURS)
    assert (response.status_code, cookies_in(response)) == (500, [])


# --- Several applications and managers


def test_mounted_applications(app, auth, cookie):
    """A mounted application with init_app of its own shares the visit: one read, one cookie, refusals are its answers."""
    api = site(auth)
    api.mount("/sub", site(auth))
    app.expire()
    client = client_of(api, cookie)
    response = client.get("/sub/me")
    assert (response.status_code, len(cookies_in(response)), response.headers["vary"]) == (200, 1, "Cookie")
    assert app.stack.count(GET_TOKENS) == 1
    response = client_of(api).get("/sub/me", headers=PAGE)
    assert response.headers["location"] == "/login?return_to=/sub/me"
    assert client_of(api).get("/sub/admin").status_code == 401


def test_a_mounted_application_without_handlers_of_its_own(app, auth, cookie):
    """Its 500 becomes the refusal, and the exception that comes after it, which the server would log, ends at the middleware.

    Starlette runs the handlers of the outer application too late for a mounted one and raises a RuntimeError instead.
    """
    api, mounted = FastAPI(), FastAPI()
    auth.init_app(api)
    mounted.add_api_route("/me", lambda: "ok", dependencies=[Depends(auth.required)])
    mounted.add_api_route("/admin", lambda: "ok", dependencies=[Depends(auth.require(any_group=["admin"]))])

    async def broken() -> None:
        raise KeyError

    mounted.add_api_route("/broken", broken, dependencies=[Depends(auth.required)])
    api.mount("/sub", mounted)
    refused = client_of(api).get("/sub/me")
    assert (refused.status_code, refused.json()["reason"]) == (401, "no_cookie")
    assert client_of(api).get("/sub/me", headers=PAGE).headers["location"] == "/login?return_to=/sub/me"
    assert (client_of(api, cookie).get("/sub/me").status_code, client_of(api, cookie).get("/sub/admin").status_code) == (
        200,
        403,
    )
    with pytest.raises(KeyError):
        client_of(api, cookie).get("/sub/broken")


def test_two_managers_in_one_application(app, cookie):
    """Each has its own cookie and its own way to sign in; one session opens nothing of the other's."""
    members = CognitoAuth(app.async_manager(), login_path="/login")
    staff_manager = app.manager(cookie_name="staff")
    staff = CognitoAuth(staff_manager, login_path="/staff/login")
    api = FastAPI()
    members.init_app(api)
    staff.init_app(api)
    for path, guard in (("/member", members.required), ("/staff", staff.required)):
        api.add_api_route(path, lambda: "ok", dependencies=[Depends(guard)])
    other = cookie_of(staff_manager.establish(app.sign_in(app.user())))
    statuses = [client_of(api, sent).get(path).status_code for sent in (cookie, other) for path in ("/member", "/staff")]
    assert statuses == [200, 401, 401, 200]
    ways = [client_of(api).get(path, headers=PAGE).headers["location"] for path in ("/member", "/staff")]
    assert ways == ["/login?return_to=/member", "/staff/login?return_to=/staff"]
    schemes = client_of(api).get("/openapi.json").json()["components"]["securitySchemes"]
    assert {name: scheme["name"] for name, scheme in schemes.items()} == {COOKIE: COOKIE, "staff": "staff"}


def test_the_sealed_host_cookie(app):
    """With the default cookie the browser keeps "__Host-session" over https, and no token reaches it."""
    manager = app.async_manager(cookie="sealed", cookie_name=None, session_keys=KEYS)
    auth, user = CognitoAuth(manager), app.user()
    api, tokens = site(auth), app.sign_in(user)

    @api.post("/in")
    async def sign_in(request: Request) -> None:
        await auth.establish(request, tokens)

    client = client_of(api)
    (line,) = cookies_in(client.post("/in", headers=OURS))
    assert line.startswith("__Host-session=")
    assert line.endswith("; Path=/; HttpOnly; Secure; SameSite=Lax")
    assert tokens["AccessToken"] not in line
    assert client.get("/me").json() == {"sub": user.sub, "same": True}


# --- WebSockets, background tasks, disconnects


def socket_site(auth: CognitoAuth) -> FastAPI:
    """An application with a WebSocket behind a guard."""
    api = FastAPI()
    auth.init_app(api)

    @api.websocket("/live")
    async def live(
        socket: WebSocket, me: Annotated[Session, Depends(auth.require(scopes=["aws.cognito.signin.user.admin"]))]
    ) -> None:
        await socket.accept()
        await socket.send_text(me.sub)
        await socket.close()

    return api


def test_a_websocket_behind_a_guard(app, auth, cookie):
    """The guards work on WebSockets, the refreshed cookie goes out with the handshake."""
    app.expire()
    with client_of(socket_site(auth), cookie).websocket_connect("/live", headers=OURS) as socket:
        assert len(socket.receive_text()) == 36
        assert [name for name, _ in socket.extra_headers] == [b"set-cookie"]


@pytest.mark.parametrize(("headers", "status"), [({"origin": "https://evil.example"}, 403), ({"cookie": "token=x"}, 401)])
def test_a_websocket_is_refused(auth, cookie, headers, status):
    """Another site's page and a stranger do not get in; where the server can, they are told why."""
    client = client_of(socket_site(auth))
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("/live", headers={"cookie": cookie, **headers}),
    ):
        pass
    assert refused.value.status_code == status


def test_a_websocket_is_closed_by_what_its_endpoint_raises(auth, cookie):
    """After the socket was accepted a refusal can only close it: with the code of a denial and the reason."""
    api = FastAPI()
    auth.init_app(api)

    @api.websocket("/live")
    async def live(socket: WebSocket, me: Annotated[Session, Depends(auth.required)]) -> None:
        await socket.accept()
        await socket.receive_text()
        me.require(any_group=["admin"])

    with client_of(api, cookie).websocket_connect("/live", headers=OURS) as socket:
        socket.send_text("admin things")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (1008, "group_required")


def test_a_background_task_after_the_response(auth, cookie):
    """Work after the response may still ask who it was: the session is known, and nothing more can be sent."""
    api, seen = FastAPI(), []
    auth.init_app(api)

    @api.get("/")
    async def page(me: Annotated[Session, Depends(auth.required)], tasks: BackgroundTasks) -> str:
        tasks.add_task(lambda: seen.append(current_session()))
        return me.sub

    sub = client_of(api, cookie).get("/").json()
    assert [me.sub for me in seen] == [sub]


async def test_a_cancelled_request_still_commits(app, cookie):
    """A server that cancels the request during the refresh loses nothing: the next request needs no second refresh."""
    transport = httpx.ASGITransport(app=site(CognitoAuth(app.async_manager())))
    app.expire()
    async with httpx.AsyncClient(transport=transport, base_url=SITE, headers={"cookie": cookie}) as client:
        with app.stack.gate(GET_TOKENS) as gate:
            request = asyncio.create_task(client.get("/me"))
            await asyncio.to_thread(gate.wait_for, 1)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
        response = await client.get("/me")
    assert (response.status_code, len(cookies_in(response))) == (200, 1)
    assert app.stack.count(GET_TOKENS) == 1


# --- OpenAPI


def test_openapi_says_which_routes_need_the_cookie(app, auth):
    """Guards show the cookie's scheme with 401 and 403, optional shows that it may be left out, public routes say nothing."""
    schema = client_of(site(auth)).get("/openapi.json").json()
    (scheme,) = schema["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "cookie", COOKIE)
    paths = schema["paths"]
    for path, method in (("/me", "get"), ("/sync", "get"), ("/admin", "get"), ("/all", "get"), ("/change", "post")):
        assert paths[path][method]["security"] == [{COOKIE: []}]
        assert {"401", "403"} <= set(paths[path][method]["responses"])
    assert paths["/maybe"]["get"]["security"] == [{COOKIE: []}, {}]
    assert set(paths["/maybe"]["get"]["responses"]) == {"200"}
    assert "security" not in paths["/public"]["get"]


def test_openapi_keeps_what_the_application_says(auth):
    """Its own words for 401 stay, other schemes beside ours too, and asking twice changes nothing."""
    from fastapi.security import APIKeyHeader

    api = FastAPI()
    auth.init_app(api)
    key = APIKeyHeader(name="x-key", auto_error=False)
    own = {401: {"description": "Mine"}}
    api.add_api_route("/a", lambda: 1, dependencies=[Depends(auth.required)], responses=own)
    api.add_api_route("/b", lambda: 1, dependencies=[Depends(key), Depends(auth.optional)])
    first = client_of(api).get("/openapi.json").json()
    assert first["paths"]["/a"]["get"]["responses"]["401"]["description"] == "Mine"
    assert first["paths"]["/b"]["get"]["security"] == [{"APIKeyHeader": []}]
    assert client_of(api).get("/openapi.json").json() == first


def test_a_cookie_name_that_openapi_cannot_use_as_a_key(app):
    """A scheme's key has letters, digits, dots and dashes only (OpenAPI 3.1 4.8.7.1); the cookie keeps its name."""
    auth = CognitoAuth(app.async_manager(cookie_name="a!b"))
    (name,) = (schemes := site(auth).openapi()["components"]["securitySchemes"])
    assert (name, schemes[name]["name"]) == ("a_b", "a!b")


# --- Types

TYPED = """
    from typing import Annotated, Any
    from fastapi import Depends, FastAPI, Request
    from cognito_session import AsyncSessionManager, Session, SessionManager
    from cognito_session.web.fastapi import CognitoAuth

    auth = CognitoAuth(AsyncSessionManager.from_env(), login_path="/login")
    other = CognitoAuth(SessionManager.from_env())
    app = FastAPI()
    auth.init_app(app)
    Me = Annotated[Session, Depends(auth.required)]
    MaybeMe = Annotated[Session | None, Depends(auth.optional)]
    Admin = Annotated[Session, Depends(auth.require(any_group=["admin"], scopes={"a/b"}, max_age=300))]
    app.dependency_overrides[auth.optional] = lambda: None

    @app.get("/")
    def page(me: Me, admin: Admin) -> str:
        return me.sub + admin.sub

    @app.post("/in")
    async def sign_in(request: Request, tokens: dict[str, Any], maybe: MaybeMe) -> str:
        old: str = maybe.sub if maybe else ""
        me: Session = await auth.establish(request, tokens)
        await auth.sign_out(request)
        return old + me.sub

    def wrong(maybe: MaybeMe) -> str:
        return maybe.sub  # type: ignore[union-attr]

    CognitoAuth("sessions")  # type: ignore[arg-type]
    auth.require(max_age="5")  # type: ignore[arg-type]
    auth.require(group=["admin"])  # type: ignore[call-arg]
"""


def test_types_of_users_code(tmp_path):
    """A user's application is accepted by mypy --strict, but for each line that is marked as refused."""
    (tmp_path / "users_app.py").write_text(textwrap.dedent(TYPED))
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(tmp_path / "users_app.py")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path)
    assert checked.stdout.strip() == "Success: no issues found in 1 source file", checked.stdout + checked.stderr


def test_every_refusal_has_its_status(auth):
    """What an endpoint raises itself is answered like a guard's refusal."""
    api = FastAPI()
    auth.init_app(api)
    errors = {"a": SessionRequired("x"), "b": SessionForbidden("x"), "c": SessionUnavailable("x", retry_after=3)}

    @api.get("/{kind}")
    def page(kind: str) -> None:
        raise errors[kind]

    client = client_of(api)
    assert [client.get(f"/{kind}").status_code for kind in errors] == [401, 403, 503]
    assert client.get("/c").headers["retry-after"] == "3"
