"""The Django middleware, as a project uses it, with and without an event loop, below sync and async views alike."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from http.cookies import SimpleCookie
from typing import Any, NamedTuple

import django
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from django.views import View
from django.views.decorators.cache import cache_page
from django.views.decorators.csrf import csrf_exempt

from cognito_session import ConfigurationError, Session, SessionError, SessionUnavailable, current_session
from cognito_session.http.response import Response
from cognito_session.web.adapted_request import adapt
from cognito_session.web.django import (
    CognitoSessionMiddleware,
    SessionRequiredMixin,
    aestablish,
    asign_out,
    establish,
    request_of,
    request_session_of,
    respond,
    session_manager,
    session_required,
    sign_out,
)
from support.sealing_keys import ring
from support.stack import COOKIE, cookie_of, done, fresh, make_app, shared_stack

if not settings.configured:
    settings.configure(LOGGING_CONFIG=None, SECRET_KEY="django's own")
    django.setup()

GET_TOKENS, READ = "GetTokensFromRefreshToken", "GetItem"
MIDDLEWARE = "cognito_session.web.django.CognitoSessionMiddleware"
OURS = {"sec-fetch-site": "same-origin"}
PAGE = {"sec-fetch-mode": "navigate", "accept": "text/html"}
DELETED = {COOKIE: {"value": "", "max-age": "0", "path": "/", "httponly": True, "secure": True, "samesite": "Lax"}}
TEMPLATE = "{% if request.cognito_session is None %}nobody{% else %}{{ request.cognito_session.username }}{% endif %}"
tokens: dict[str, Any] = {}
"""What the sign-in views sign in with."""


# --- A project: each view twice, below /s/ for sync and /a/ for async


def named(me: Session | None) -> JsonResponse:
    return JsonResponse({"me": None if me is None else me.username})


def public(request):
    return HttpResponse("public", headers={"Cache-Control": "public, max-age=60"})


async def apublic(request):
    return public(request)


def who(request):
    assert current_session() is None
    me = request.cognito_session
    assert me is request.cognito_session is current_session()
    return named(me)


async def awho(request):
    assert current_session() is None
    me = await request.acognito_session()
    assert me is await request.acognito_session() is request.cognito_session is current_session()
    return named(me)


@session_required
def as_json(request):
    return named(request.cognito_session)


@session_required
async def aas_json(request):
    return named(request.cognito_session)


@session_required
def denied(request):
    raise PermissionDenied


@session_required
async def adenied(request):
    raise PermissionDenied


@session_required
def broken(request):
    raise ZeroDivisionError


@session_required
async def abroken(request):
    raise ZeroDivisionError


def templated(request):
    return TemplateResponse(request, engines["django"].from_string(TEMPLATE))


async def atemplated(request):
    await request.acognito_session()
    return templated(request)


@session_required(any_group=["admin"])
def admins(request):
    return JsonResponse({"admin": True})


@session_required(any_group=["admin"])
async def aadmins(request):
    return JsonResponse({"admin": True})


class Item(SessionRequiredMixin, View):
    all_groups = ("admin", "ops")

    def get(self, request):
        return JsonResponse({"item": request.cognito_session.username})

    def post(self, request):
        return JsonResponse({"changed": True})


class AsyncItem(SessionRequiredMixin, View):
    all_groups = ("admin", "ops")

    async def get(self, request):
        return JsonResponse({"item": request.cognito_session.username})

    async def post(self, request):
        return JsonResponse({"changed": True})


def changes(request):
    return JsonResponse({"changed": True})


async def achanges(request):
    return changes(request)


def signing_in(request):
    before = request.cognito_session
    return JsonResponse({"before": before is not None, "me": establish(request, tokens["new"]).username})


async def asigning_in(request):
    before = await request.acognito_session()
    return JsonResponse({"before": before is not None, "me": (await aestablish(request, tokens["new"])).username})


def signing_out(request):
    sign_out(request)
    return HttpResponseRedirect("/s/public")


async def asigning_out(request):
    await asign_out(request)
    return HttpResponseRedirect("/s/public")


async def patient(request):
    with pytest.raises(SessionUnavailable):
        await request.acognito_session()
    return named(request.cognito_session)


def asking_the_visit(request):
    return named(request_session_of(request).session())


class Wrapped:
    """A request as Django REST framework wraps it."""

    def __init__(self, request):
        self._request = request

    def __getattr__(self, name):
        return getattr(self._request, name)


def guarded_only(request):
    return session_required(public)(Wrapped(request))


async def hasty(request):
    return named(request.cognito_session)


def answering_itself(request):
    try:
        request_session_of(request).required()
        request.cognito_session.require(any_group=["nobody"])
    except SessionError as error:
        return HttpResponse(error.reason)


def admin_only(request):
    return JsonResponse({"here": request.cognito_session is not None, "admin": request.admin_session.username})


@session_required(attribute="admin_session")
def guarded_by_admin(request):
    return admin_only(request)


@session_required
def guarded_by_ours(request):
    return admin_only(request)


class AdminItem(SessionRequiredMixin, View):
    session_attribute = "admin_session"

    def get(self, request):
        return JsonResponse({"admin": request.admin_session.username})


def sign_in_page(request):
    return HttpResponse("sign in")


BOTH = {
    "public": (public, apublic),
    "me": (who, awho),
    "json": (as_json, aas_json),
    "denied": (denied, adenied),
    "broken": (broken, abroken),
    "template": (templated, atemplated),
    "admins": (admins, aadmins),
    "item": (Item.as_view(), AsyncItem.as_view()),
    "changes": (changes, achanges),
    "sign-in": (signing_in, asigning_in),
    "sign-out": (signing_out, asigning_out),
}


class Urls:
    """The project's URLconf."""

    urlpatterns = [  # noqa: RUF012 - Django's own name and kind
        *(path(f"s/{name}", views[0]) for name, views in BOTH.items()),
        *(path(f"a/{name}", views[1]) for name, views in BOTH.items()),
        path("hasty", hasty),
        path("patient", patient),
        path("visit", asking_the_visit),
        path("wrapped", guarded_only),
        path("itself", answering_itself),
        path("cached", cache_page(60)(who)),
        path("exempt", csrf_exempt(changes)),
        path("accounts/in/", sign_in_page, name="in"),
        path("admin", admin_only),
        path("admin-guarded", guarded_by_admin),
        path("our-guarded", guarded_by_ours),
        path("admin-item", AdminItem.as_view()),
    ]


class AdminMiddleware(CognitoSessionMiddleware):
    """A second manager beside the first."""

    settings_name = "ADMIN_SESSION"
    attribute = "admin_session"


PROJECT = {
    "ROOT_URLCONF": Urls,
    "MIDDLEWARE": [MIDDLEWARE],
    "ALLOWED_HOSTS": ["testserver"],
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
        }
    ],
}


# --- Asking it


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """A pool and a table of one row per user, with rotation and no grace: the hardest setting."""
    return make_app(stack, rotation_grace_seconds=0, groups=("users", "admin", "ops"))


@pytest.fixture
def manager(app):
    """A manager whose kind does not matter, see `test_either_kind_of_manager_serves_either_way`."""
    return app.manager()


@pytest.fixture
def project(manager):
    """The project's settings, in force."""
    with override_settings(**PROJECT, COGNITO_SESSION={"MANAGER": manager}):
        yield


@pytest.fixture(params=["wsgi", "asgi"])
def ask(request, project):
    """Asks the project by either kind of server."""
    return ask_wsgi if request.param == "wsgi" else ask_asgi


@pytest.fixture(params=["s", "a"], ids=["sync view", "async view"])
def to(request):
    """The path of a view of either kind."""
    return lambda name: f"/{request.param}/{name}"


@pytest.fixture
def cookie(app):
    """The cookie of a session that has been used."""
    manager = app.manager()
    me = cookie_of(manager.establish(app.sign_in(app.user())))
    assert manager.resolve(me).session.set_cookies == ()
    app.stack.clear_calls()
    return me


class Reply(NamedTuple):
    """A response and the whole of its body."""

    native: Any
    body: bytes

    @property
    def status(self) -> int:
        return self.native.status_code

    @property
    def json(self) -> Any:
        return self.native.json()

    @property
    def caching(self) -> tuple[str | None, str | None]:
        return self.native.get("Cache-Control"), self.native.get("Vary")

    @property
    def cookies(self) -> dict[str, Any]:
        """The cookies that are set: their values and the attributes they have."""
        return {name: attributes(morsel) for name, morsel in self.native.cookies.items()}

    def header(self, name: str) -> str | None:
        return self.native.get(name)


def attributes(morsel: Any) -> dict[str, Any]:
    return {"value": morsel.value} | {name: value for name, value in morsel.items() if value}


def cookies_of(lines: Any) -> dict[str, Any]:
    """What Set-Cookie values set."""
    jar: SimpleCookie = SimpleCookie()
    for line in lines:
        jar.load(line)
    return {name: attributes(morsel) for name, morsel in jar.items()}


def sent_back(reply: Reply) -> str:
    """The Cookie header of a browser that has stored what the reply sets."""
    return "; ".join(f"{name}={found['value']}" for name, found in reply.cookies.items())


def ask_wsgi(to: str, *, method: str = "GET", cookie: str | None = None, strict: bool = False, **headers: str) -> Reply:
    """One request by way of WSGI."""
    client = Client(raise_request_exception=False, enforce_csrf_checks=strict)
    native = client.generic(method, to, secure=True, headers={"host": "testserver", **sent(cookie, headers)})
    return Reply(native, b"".join(native))


def ask_asgi(to: str, *, method: str = "GET", cookie: str | None = None, strict: bool = False, **headers: str) -> Reply:
    """One request by way of ASGI, on an event loop of its own."""

    async def asking() -> Reply:
        client = AsyncClient(raise_request_exception=False, enforce_csrf_checks=strict)
        native = await client.generic(method, to, secure=True, headers=sent(cookie, headers))
        chunks = [chunk async for chunk in native] if native.streaming and native.is_async else list(native)
        return Reply(native, b"".join(chunks))

    return asyncio.run(asking())


def sent(cookie: str | None, headers: dict[str, str]) -> dict[str, str]:
    return {**headers, **({} if cookie is None else {"cookie": cookie})}


# --- What somebody asks for


def test_a_template_asks_by_itself(ask, to, stack, cookie):
    """One read; without a cookie it finds None itself, not something like it. Either page depends on the cookie."""
    reply = ask(to("template"), cookie=cookie)
    assert (reply.status, reply.body[:5], reply.caching) == (200, b"user-", ("no-store", "Cookie"))
    assert done(stack) == [READ]
    reply = ask(to("template"))
    assert (reply.status, reply.body, reply.caching) == (200, b"nobody", ("no-store", "Cookie"))


RESPONSES = {"denied": 403, "broken": 500, "template": 200, "item": 403}


@pytest.mark.parametrize("name", RESPONSES)
def test_a_refreshed_cookie_reaches_the_browser_whatever_the_view_does(app, ask, to, cookie, name):
    """After expiry: PermissionDenied, an unhandled error, a template, the guard of a class."""
    app.expire()
    reply = ask(to(name), cookie=cookie)
    assert (reply.status, list(reply.cookies), reply.caching) == (RESPONSES[name], [COOKIE], ("no-store", "Cookie"))
    assert app.stack.count(GET_TOKENS) == 1


def test_what_is_sent_is_what_the_session_said(app, project, cookie):
    """On the wire each server sends exactly the cookie that serving asked for, with all of its attributes."""
    app.expire()
    (wanted,) = app.manager().resolve(cookie).session.set_cookies
    environ = RequestFactory().get("/s/json", secure=True, headers={"host": "testserver", "cookie": cookie}).environ
    given: list[Any] = []
    body = get_wsgi_application()(environ, lambda status, headers: given.extend([status, headers]))
    assert b"user-" in b"".join(body)
    body.close()
    by_wsgi = [value for name, value in given[1] if name == "Set-Cookie"]
    by_asgi = asyncio.run(set_by_asgi("/a/json", cookie))
    assert cookies_of(by_wsgi) == cookies_of(by_asgi) == cookies_of([wanted])
    assert (len(by_wsgi), len(by_asgi)) == (1, 1)


async def set_by_asgi(to: str, cookie: str) -> list[str]:
    """The Set-Cookie values of Django's own ASGI application."""
    messages: list[Any] = []
    waiting = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return waiting.pop() if waiting else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        messages.append(message)

    headers = [(b"host", b"testserver"), (b"cookie", cookie.encode())]
    scope = {"type": "http", "method": "GET", "path": to, "query_string": b"", "headers": headers, "scheme": "https"}
    await get_asgi_application()(scope, receive, send)
    return [value.decode() for name, value in messages[0]["headers"] if name == b"Set-Cookie"]


@pytest.mark.parametrize("view", ["s", "a"])
def test_either_kind_of_manager_serves_either_way(app, view):
    """An AsyncSessionManager below WSGI and ASGI, sync and async views."""
    with override_settings(**PROJECT, COGNITO_SESSION={"MANAGER": app.async_manager()}):
        for ask in (ask_wsgi, ask_asgi):
            me = cookie_of(app.manager().establish(app.sign_in(app.user())))
            app.expire()
            reply = ask(f"/{view}/json", cookie=me)
            assert (reply.status, list(reply.cookies)) == (200, [COOKIE])


# --- The event loop


def test_read_before_anybody_has_asked_it_says_what_to_do(project, cookie, stack, caplog):
    """On the event loop the attribute neither blocks nor passes for None: the log says what to await."""
    for ask in (ask_wsgi, ask_asgi):
        with caplog.at_level(logging.ERROR, logger="cognito_session"):
            reply = ask("/hasty", cookie=cookie)
        assert (reply.status, reply.json["reason"]) == (500, "configuration")
        assert "await request.acognito_session()" in caplog.text
        caplog.clear()
    assert stack.calls() == []


def test_an_outage_is_known_too(project, cookie, stack):
    """After an await that could not find out, the attribute says the same, and asks nobody again."""
    stack.fault(READ, "error500", times=None)
    reply = ask_asgi("/patient", cookie=cookie)
    assert (reply.status, reply.json["reason"]) == (503, "store_unavailable")


@pytest.mark.parametrize("name", ["/a/json", "/a/me", "/a/item"])
def test_the_event_loop_goes_on_while_a_session_is_read(app, project, stack, name):
    """While DynamoDB keeps one request waiting, another is served on the same loop."""
    user = app.user(groups=["admin", "ops"])
    me = cookie_of(app.manager().establish(app.sign_in(user)))

    async def scenario() -> tuple[int, int]:
        client = AsyncClient()
        with stack.gate(READ, times=1) as gate:
            waiting = asyncio.create_task(client.get(name, secure=True, headers={"cookie": me}))
            await asyncio.to_thread(gate.wait_for, 1)
            served = await client.get("/a/public", secure=True)
            assert not waiting.done()
        return served.status_code, (await waiting).status_code

    assert asyncio.run(scenario()) == (200, 200)


def test_many_at_expiry_are_one_refresh(app, project, cookie):
    """20 at once on one event loop: one refresh call, all served, every one sent the same cookie."""
    app.expire()

    async def scenario() -> list[Any]:
        client = AsyncClient()
        asked = [client.get("/a/json", secure=True, headers={"cookie": cookie}) for _ in range(20)]
        return await asyncio.wait_for(asyncio.gather(*asked), 40)

    replies = asyncio.run(scenario())
    assert Counter(reply.status_code for reply in replies) == {200: 20}
    assert len({reply.cookies[COOKIE].value for reply in replies}) == 1
    assert app.stack.count(GET_TOKENS) == 1


# --- Signing in and out


def test_a_sign_in_wins_over_the_refresh(app, ask, to, cookie):
    """A session begun in a request whose old one was refreshed: only the new cookie goes out, and it serves."""
    app.expire()
    user = app.user()
    tokens["new"] = app.sign_in(user)
    reply = ask(to("sign-in"), method="POST", cookie=cookie, **OURS)
    assert (reply.json, list(reply.cookies)) == ({"before": True, "me": user.username}, [COOKIE])
    assert ask(to("json"), cookie=sent_back(reply)).json == {"me": user.username}
    assert ask(to("json"), cookie=cookie).status == 401


def test_a_sign_out_deletes_the_cookie_in_any_case(app, ask, to, cookie):
    """Also where the table does not answer, which is then said."""
    app.stack.fault("UpdateItem", "error500", times=None)
    lost = ask(to("sign-out"), method="POST", cookie=cookie, **OURS)
    assert (lost.status, lost.cookies) == (503, DELETED)


def test_a_cookie_that_the_view_sets_itself_is_newer(app, project, cookie):
    """Where the response already has a cookie of our name, the refreshed one stays away."""
    app.expire()
    request = RequestFactory().get("/", secure=True, headers={"cookie": cookie})

    def get_response(request):
        assert request.cognito_session is not None
        response = HttpResponse(headers={"Cache-Control": "private", "Vary": "Accept"})
        response.set_cookie(COOKIE, "own")
        return response

    response = CognitoSessionMiddleware(get_response)(request)
    assert [morsel.value for morsel in response.cookies.values()] == ["own"]
    assert (response["Cache-Control"], response["Vary"]) == ("no-store", "Accept, Cookie")


# --- Refusals


@pytest.mark.parametrize("name", ["template", "item"])
def test_an_outage_in_a_template_is_a_503(app, ask, to, cookie, name):
    """A template that asks while the table fails says: come back later, and touches no cookie. So does a class."""
    app.stack.fault(READ, "error500", times=None)
    reply = ask(to(name), cookie=cookie)
    assert (reply.status, reply.json["reason"]) == (503, "store_unavailable")
    assert (reply.header("Retry-After"), reply.cookies, reply.caching) == ("1", {}, ("no-store", "Cookie"))


@pytest.mark.parametrize("name", ["json", "item"])
def test_without_any_place_to_sign_in_a_person_is_shown_a_page(ask, to, name):
    """401 in HTML for a navigation, of functions and of classes."""
    page = ask(to(name), **PAGE)
    assert (page.status, page.header("Content-Type"), page.caching) == (401, "text/html; charset=utf-8", ("no-store", "Cookie"))


@pytest.mark.parametrize(
    ("ours", "djangos", "where"),
    [
        ({"LOGIN_PATH": "/login"}, {}, "/login"),
        ({"login_path": "in"}, {}, "/accounts/in/"),
        ({}, {"LOGIN_URL": "/sign-in"}, "/sign-in"),
        ({}, {"LOGIN_URL": "in"}, "/accounts/in/"),
        ({"LOGIN_PATH": "/login"}, {"LOGIN_URL": "/sign-in"}, "/login"),
        ({"LOGIN_PATH": ""}, {"LOGIN_URL": "/sign-in"}, None),
    ],
)
def test_a_person_is_sent_to_sign_in(manager, ours, djangos, where):
    """By our setting, else by LOGIN_URL where the project has set it; a path or the name of a URL. The way back goes along."""
    with override_settings(**PROJECT, **djangos, COGNITO_SESSION={"MANAGER": manager, **ours}):
        for ask in (ask_wsgi, ask_asgi):
            reply = ask("/s/json?x=1", **PAGE)
            back = "?return_to=/s/json%3Fx%3D1"
            assert (reply.status, reply.header("Location")) == ((303, f"{where}{back}") if where else (401, None))


def test_a_guard_of_a_class_lets_in_whom_it_names(app, ask, to):
    """403 with the reason for those who lack one of its groups; others are served."""
    manager = app.manager()
    users = [app.user(groups=["users"]), app.user(groups=["admin", "ops"])]
    cookies = [cookie_of(manager.establish(app.sign_in(user))) for user in users]
    refused, served = [ask(to("item"), cookie=cookie) for cookie in cookies]
    assert (refused.status, refused.json) == (403, {"error": "forbidden", "reason": "group_required"})
    assert served.status == 200


def test_views_answer_errors_themselves_if_they_like(project, cookie):
    """What a view catches is its own affair; an error that has passed the attribute can answer for itself in Django's form."""
    assert ask_wsgi("/itself").body == b"no_cookie"
    assert ask_wsgi("/itself", cookie=cookie).body == b"group_required"


def test_djangos_own_csrf_check_may_stand_beside_ours(manager):
    """Either refuses what it does not like: @csrf_exempt speaks to Django's alone, our list of paths to ours alone."""
    both = {**PROJECT, "MIDDLEWARE": [MIDDLEWARE, "django.middleware.csrf.CsrfViewMiddleware"]}
    with override_settings(**both, COGNITO_SESSION={"MANAGER": manager}):
        for ask in (ask_wsgi, ask_asgi):
            django_refuses = ask("/s/changes", method="POST", strict=True, **OURS)
            assert (django_refuses.status, b"CSRF verification failed" in django_refuses.body) == (403, True)
            assert ask("/exempt", method="POST", strict=True, **OURS).status == 200
            assert ask("/exempt", method="POST", strict=True).json["reason"] == "cross_site"


def test_a_form_may_be_sent_after_a_refresh(app, manager):
    """A refresh leaves Django's own CSRF cookie as it is: the token of a form that has been open for hours still counts."""
    secret = "s" * 32
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    both = {**PROJECT, "MIDDLEWARE": ["django.middleware.csrf.CsrfViewMiddleware", MIDDLEWARE]}
    with override_settings(**both, COGNITO_SESSION={"MANAGER": manager}):
        for to, method in (("/s/json", "GET"), ("/s/changes", "POST")):
            app.expire()
            headers = {"referer": "https://testserver/", "x-csrftoken": secret, **OURS}
            reply = ask_wsgi(to, method=method, cookie=f"{cookie}; csrftoken={secret}", strict=True, **headers)
            assert reply.status == 200
            cookie = sent_back(reply) or cookie
            assert "csrftoken" not in reply.cookies


def test_paths_are_exempt_by_setting(app):
    """A webhook named in the settings needs no origin, one that may be read as another path does."""
    environ = {"ENVIRON": app.environment, "COOKIE": "token", "CLOCK": app.stack.clock}
    with override_settings(**PROJECT, COGNITO_SESSION={**environ, "CSRF": {"EXEMPT": ["/s/ch*"]}}):
        for ask in (ask_wsgi, ask_asgi):
            assert [ask(to, method="POST").status for to in ("/s/changes", "/a/changes", "/s/ch%61nges/../x")] == [
                200,
                403,
                403,
            ]


# --- Caching


def test_djangos_cache_keeps_no_page_of_anybody(app, manager):
    """With its middlewares below ours, or around a view: each user sees their own page. Public pages are kept."""
    users = [app.user(), app.user()]
    cookies = [cookie_of(manager.establish(app.sign_in(user))) for user in users]
    caching = ["django.middleware.cache.UpdateCacheMiddleware", "django.middleware.cache.FetchFromCacheMiddleware"]
    for middlewares in ([MIDDLEWARE, *caching], [*caching[:1], MIDDLEWARE, *caching[1:]], [MIDDLEWARE]):
        with override_settings(**{**PROJECT, "MIDDLEWARE": middlewares}, COGNITO_SESSION={"MANAGER": manager}):
            cache.clear()
            for ask in (ask_wsgi, ask_asgi):
                for to in ("/cached", "/visit", "/s/me", "/a/me"):
                    assert [ask(to, cookie=cookie).json["me"] for cookie in cookies] == [user.username for user in users]
                    assert ask(to).json == {"me": None}
                assert [ask("/wrapped", cookie=each).status for each in (*cookies, None)] == [200, 200, 401]
            kept = len(cache._cache)
            ask_wsgi("/s/public", cookie=cookies[0])
            assert (kept, len(cache._cache)) == (0, 0 if len(middlewares) == 1 else 2)
    cache.clear()


# --- Setting up


def test_configuration_comes_from_the_settings(app, stack):
    """Keywords in capitals or not; what is not set comes from the environment; a typing error is named at the start."""
    given = {"USER_POOL_ID": app.pool.user_pool_id, "client_id": app.pool.client_id, "SESSION_TABLE": app.table}
    rest = {"ENVIRON": app.pool.environment(), "cookie": "token", "COOKIE_NAME": "mine", "CLOCK": stack.clock}
    with override_settings(**PROJECT, COGNITO_SESSION={**given, **rest}):
        manager = session_manager()
        assert (manager.configuration.session_table, manager.context.cookie.name) == (app.table, "mine")
        me = cookie_of(manager.establish(app.sign_in(app.user())))
        assert ask_wsgi("/s/json", cookie=me).status == 200
        assert session_manager() is manager
        assert CognitoSessionMiddleware(changes).settings.manager is manager
    wrong = {**PROJECT, "COGNITO_SESSION": {**given, **rest, "TABEL": "x"}}
    with override_settings(**wrong), pytest.raises(ConfigurationError, match=r'COGNITO_SESSION\["TABEL"\]: no such setting'):
        Client().get("/s/public")


def test_without_settings_the_environment_says_everything(app, monkeypatch):
    """A project may have no COGNITO_SESSION at all."""
    for name, value in {**app.environment, "SESSION_KEYS": ring(1)}.items():
        monkeypatch.setenv(name, value)
    assert session_manager("NO_SUCH_SETTINGS").configuration.session_table == app.table


def test_two_managers_serve_one_project(app, manager):
    """A subclass beside the first has its own settings, attribute, cookie and place to sign in."""
    admin = app.manager(cookie_name="admin")
    users = [app.user(), app.user()]
    ours, theirs = [cookie_of(each.establish(app.sign_in(user))) for each, user in zip((manager, admin), users, strict=True)]
    managers = {"COGNITO_SESSION": {"MANAGER": manager, "LOGIN_PATH": "/in"}, "ADMIN_SESSION": {"MANAGER": admin}}
    managers["ADMIN_SESSION"]["LOGIN_PATH"] = "/admin-in"
    for order in ([MIDDLEWARE, f"{__name__}.AdminMiddleware"], [f"{__name__}.AdminMiddleware", MIDDLEWARE]):
        with override_settings(**{**PROJECT, "MIDDLEWARE": order}, **managers):
            for ask in (ask_wsgi, ask_asgi):
                both = ask("/admin", cookie=f"{ours}; {theirs}")
                assert both.json == {"here": True, "admin": users[1].username}
                assert ask("/admin-guarded", cookie=ours, **PAGE).header("Location") == "/admin-in?return_to=/admin-guarded"
                assert ask("/our-guarded", cookie=theirs, **PAGE).header("Location") == "/in?return_to=/our-guarded"
                assert ask("/admin-item", cookie=theirs).json == {"admin": users[1].username}
                assert ask("/admin-item", cookie=ours).status == 401
    app.expire()
    with override_settings(**{**PROJECT, "MIDDLEWARE": order}, **managers):
        assert list(ask_wsgi("/s/json", cookie=f"{ours}; {theirs}").cookies) == [COOKIE]
        assert sorted(ask_asgi("/admin", cookie=f"{ours}; {theirs}").cookies) == ["admin", COOKIE]


def test_without_the_middleware_it_is_said_what_is_missing(project):
    """Nobody is taken for signed out because the middleware is not there."""
    request = RequestFactory().get("/")
    assert not hasattr(request, "cognito_session")
    with pytest.raises(ConfigurationError, match="MIDDLEWARE needs"):
        as_json(request)


def test_nothing_is_left_behind(ask, to, cookie):
    """After a request nobody is current, and Django's own request class is as it was."""
    assert ask(to("json"), cookie=cookie).status == 200
    assert current_session() is None
    assert not hasattr(HttpRequest, "cognito_session")
    assert not hasattr(RequestFactory().get("/"), "cognito_session")


# --- Our requests and responses


def test_a_door_knows_djangos_requests(project):
    """What managed login is handed is understood, mount point included, and answered with each cookie for itself."""
    native = RequestFactory().get("/a%20b/é?c=%20", headers={"host": "testserver", "x-own": "1"}, SCRIPT_NAME="/m")
    door = adapt(native)
    assert door.request == request_of(native)
    assert (door.request.method, door.request.path, door.request.query) == ("GET", "/m/a%20b/%C3%A9", "c=%20")
    assert door.request.header("x-own") == "1"
    response = door.respond(Response(303, {"Location": "/x"}, "", ("a=1; Path=/; Secure", "b=2")))
    assert (response.status_code, response["Location"]) == (303, "/x")
    assert cookies_of(morsel.OutputString() for morsel in response.cookies.values()) == {
        "a": {"value": "1", "path": "/", "secure": True},
        "b": {"value": "2"},
    }
    assert respond(Response(200, {"Content-Type": "text/plain"}, "hi")).content == b"hi"


def test_views_keep_their_names_and_kinds():
    """A guarded view is what it was to Django: async stays async."""
    assert (as_json.__name__, aas_json.__name__) == ("as_json", "aas_json")
    assert [inspect.iscoroutinefunction(view) for view in (as_json, aas_json, admins, aadmins)] == [False, True, False, True]
