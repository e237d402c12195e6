"""Powertools' event handler: the session in its routes, and every Set-Cookie line to the letter, whatever a route does."""

from __future__ import annotations

import asyncio
import json
from itertools import product
from typing import Annotated

import pytest
from aws_lambda_powertools.event_handler import (
    ALBResolver,
    APIGatewayHttpResolver,
    APIGatewayRestResolver,
    CORSConfig,
    LambdaFunctionUrlResolver,
    Response,
    VPCLatticeResolver,
)
from aws_lambda_powertools.event_handler.depends import Depends
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, NotFoundError, ServiceError
from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from cognito_session import ConfigurationError, SessionForbidden, SessionRequired, current_session
from cognito_session.web.powertools import session_middleware
from managed.scene import NAME, sealed
from support.sealing_keys import ring
from support.stack import cookie_of, done
from web.gateways import GATEWAYS, Call

RESOLVERS = {
    "rest": APIGatewayRestResolver,
    "http-v1": APIGatewayRestResolver,
    "http-v2": APIGatewayHttpResolver,
    "function-url": LambdaFunctionUrlResolver,
    "alb": ALBResolver,
    "alb-multi": ALBResolver,
}
READ = "GetItem"
OWN = Cookie(name="own", value="1", path="/", same_site=SameSite.LAX_MODE)
OTHER = Cookie(name="other", value="2", custom_attributes=["Priority=High"])


class Context:
    """Lambda's context, as far as it is read."""

    def get_remaining_time_in_millis(self):
        return 30_000


class Site:
    """A Powertools application behind a gateway."""

    def __init__(self, name, app, **keywords):
        self.gateway = GATEWAYS[name]
        self.app = RESOLVERS[name](**keywords)
        self.manager = sealed(app)
        self.user = app.user()
        self.cookie = cookie_of(self.manager.establish(app.sign_in(self.user)))
        self.manager.resolve(self.cookie)
        app.stack.clear_calls()

    def use(self, **keywords):
        """The middleware before every route."""
        self.app.use(middlewares=[session_middleware(self.manager, **keywords)])
        return self

    def ask(self, path="/me", *, method="GET", cookie=None, headers=(), resolve=None):
        """What the client is answered; without `cookie` nobody is signed in."""
        call = Call(method=method, path=path, headers=headers, cookies=(cookie,) if cookie else ())
        return self.gateway.answer((resolve or self.app.resolve)(self.gateway.event(call), Context()))

    def ask_expired(self, app, path="/me", **more):
        """The same as the user after the access token's expiry: a new cookie is due."""
        app.expire()
        return self.ask(path, cookie=self.cookie, **more)

    def assert_one_new_cookie(self, reply, *others):
        """Every cookie arrived, ours to the letter; whoever stores it is served without a further one."""
        (ours,) = [line for line in reply.cookies if line.startswith(f"{NAME}=")]
        assert ours.endswith("; Path=/; HttpOnly; Secure; SameSite=Lax")
        assert sorted(line for line in reply.cookies if line != ours) == sorted(others)
        assert self.manager.resolve(ours.partition(";")[0]).session.set_cookies == ()
        assert (reply.values("cache-control"), reply.values("vary")) == (["no-store"], ["Cookie"])


@pytest.fixture(params=RESOLVERS)
def site(request, app):
    """An application behind each gateway."""
    return Site(request.param, app)


# --- the session in a route


def test_a_route_has_the_session_in_the_context(site):
    """In app.context as by current_session(): the session, or None for a guest."""
    site.use(optional=True)

    @site.app.get("/me")
    def me():
        assert site.app.context["session"] is current_session()
        return {"sub": current_session() and current_session().sub}

    assert json.loads(site.ask(cookie=site.cookie).body) == {"sub": site.user.sub}
    assert json.loads(site.ask().body) == {"sub": None}


def test_one_route_only(site, app):
    """As a route's own middleware: other routes ask nobody and are left alone."""
    site.app.get("/me", middlewares=[session_middleware(site.manager)])(lambda: {"sub": current_session().sub})
    site.app.get("/open")(lambda: {"open": True})
    assert site.ask("/open").values("vary") == []
    assert site.ask().status == 401
    assert done(app.stack) == []
    site.assert_one_new_cookie(site.ask_expired(app))


def test_two_middlewares_ask_once(site, app):
    """Guests everywhere and members on one route: one read and one cookie."""
    site.use(optional=True)
    site.app.get("/me", middlewares=[session_middleware(site.manager)])(lambda: {"sub": current_session().sub})
    assert site.ask().status == 401
    assert site.ask(cookie=site.cookie).status == 200
    assert done(app.stack) == [READ]
    site.assert_one_new_cookie(site.ask_expired(app))


def test_two_managers_keep_apart(site, app):
    """Another manager's middleware asks for its own cookie."""
    admins = sealed(app, cookie_name="__Host-admin")
    site.use(optional=True)
    site.app.get("/me", middlewares=[session_middleware(admins)])(dict)
    assert site.ask(cookie=site.cookie).status == 401
    assert site.ask(cookie=cookie_of(admins.establish(app.sign_in(app.user())))).status == 200


# --- cookies

ANSWERS = {
    "mapping": lambda: {"a": 1},
    "mapping and status": lambda: ({"a": 1}, 201),
    "response": lambda: Response(200, "text/plain", "x", cookies=[OWN, OTHER]),
    "one own cookie": lambda: Response(200, "text/plain", "x", cookies=[OWN]),
    "cookies in headers": lambda: Response(200, "text/plain", "x", {"Set-Cookie": [str(OWN), str(OTHER)]}),
    "one in headers, one not": lambda: Response(200, "text/plain", "x", {"set-cookie": str(OTHER)}, [OWN]),
    "redirect": lambda: Response(302, headers={"Location": "/next"}, body="", cookies=[OWN]),
    "bytes": lambda: Response(200, "image/png", bytes(range(256)), cookies=[OWN, OTHER]),
    "nothing": lambda: Response(204),
    "error": lambda: Response(500, "application/json", {"error": "x"}, cookies=[OWN]),
    "lists in headers": lambda: Response(200, "text/plain", "x", {"X-One": ["1"], "X-None": None}),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_new_cookie_arrives_with_whatever_a_route_answers(site, app, name):
    """Beside the route's own cookies, wherever they are, each once, and its body untouched."""
    site.use()
    site.app.get("/me")(ANSWERS[name])
    reply = site.ask_expired(app)
    given = ANSWERS[name]()
    own = [str(cookie) for cookie in getattr(given, "cookies", ())]
    own += {"cookies in headers": [str(OWN), str(OTHER)], "one in headers, one not": [str(OTHER)]}.get(name, [])
    site.assert_one_new_cookie(reply, *own)
    assert reply.status == {"mapping and status": 201, "redirect": 302, "nothing": 204, "error": 500}.get(name, 200)
    if name == "bytes":
        assert reply.body == bytes(range(256))
    if name == "redirect":
        assert reply.values("location") == ["/next"]


def teapot():
    """A status of the application's own."""
    raise ServiceError(418, "short and stout")


def forbidden():
    """A guard's refusal."""
    raise SessionForbidden("no", reason="group_required")


def bad():
    """Powertools' own."""
    raise BadRequestError("bad")


def unknown():
    """An error that the application has a handler for."""
    raise LookupError("x")


ERRORS = {"teapot": (teapot, 418), "forbidden": (forbidden, 403), "bad request": (bad, 400), "handled": (unknown, 409)}


@pytest.mark.parametrize("name", ERRORS)
def test_a_new_cookie_arrives_with_a_raised_error(site, app, name):
    """Of Powertools, of the application's exception handlers, of a guard."""
    site.use()
    route, status = ERRORS[name]
    site.app.get("/me")(route)
    site.app.exception_handler(LookupError)(lambda error: Response(409, "text/plain", "x", cookies=[OWN]))
    reply = site.ask_expired(app)
    assert reply.status == status
    site.assert_one_new_cookie(reply, *([str(OWN)] if name == "handled" else []))


def test_errors_look_as_powertools_makes_them(site):
    """The same status and body as without the middleware, a handler's second thought included."""
    plain = Site.__new__(Site)
    plain.__dict__ |= {**site.__dict__, "app": RESOLVERS[site.gateway.name]()}
    site.use()
    for one in (site, plain):
        one.app.get("/teapot")(teapot)
        one.app.get("/bad")(bad)
        one.app.get("/second")(unknown)

        @one.app.exception_handler(LookupError)
        def second_thought(error):
            raise NotFoundError("gone")

    for path in ("/teapot", "/bad", "/second"):
        mine, theirs = (one.ask(path, cookie=one.cookie) for one in (site, plain))
        assert (mine.status, mine.body) == (theirs.status, theirs.body)
        assert mine.values("content-type") == theirs.values("content-type")


def test_an_error_that_nobody_handles_stays_one(site):
    """A bug in a route is not swallowed."""
    site.use()
    site.app.get("/me")(unknown)
    with pytest.raises(LookupError):
        site.ask(cookie=site.cookie)
    assert current_session() is None


def test_a_path_that_is_not_there(site, app):
    """Powertools' 404 carries the cookie as well."""
    site.use(optional=True)
    reply = site.ask_expired(app, "/nowhere")
    assert reply.status == 404
    site.assert_one_new_cookie(reply)


def admin():
    """A guard as a dependency."""
    current_session().require(any_group=["admin"])


def missing():
    """A dependency that finds nothing."""
    raise NotFoundError("x")


def for_admins(who: Annotated[None, Depends(admin)]):
    """A route behind the guard."""
    return {}


def for_nobody(who: Annotated[None, Depends(missing)]):
    """A route behind the other."""
    return {}


def test_a_dependency_s_refusal_is_answered(site, app):
    """Powertools wraps what a dependency raises: a guard in one is a 403 all the same, an error of its own is that error."""
    site.use()
    site.app.get("/me")(for_admins)
    site.app.get("/missing")(for_nobody)
    reply = site.ask_expired(app)
    assert (reply.status, json.loads(reply.body)["reason"]) == (403, "group_required")
    site.assert_one_new_cookie(reply)
    assert site.ask("/missing", cookie=site.cookie).status == 404


# --- caching

CACHE = [
    # a route's cache_control, whether a new cookie is due, what goes out
    ("public, max-age=600", False, "no-store"),
    ("public, max-age=600", True, "no-store"),
    ("private, max-age=60", False, "private, max-age=60"),
    ("private, max-age=60", True, "no-store"),
    ("no-store", True, "no-store"),
]


@pytest.mark.parametrize(("said", "is_due", "sent"), CACHE)
def test_a_route_s_own_cache_control_is_as_strict_as_the_session(site, app, said, is_due, sent):
    """Powertools applies it after every middleware, where it would let a shared cache keep a session's cookie."""
    site.use()
    site.app.get("/me", cache_control=said)(lambda: {"a": 1})
    reply = site.ask_expired(app) if is_due else site.ask(cookie=site.cookie)
    assert reply.values("cache-control") == [sent]
    assert len(reply.cookies) == is_due


@pytest.mark.parametrize(
    ("headers", "caching", "varies"),
    [
        ({"cache-control": "public", "vary": "Accept"}, "no-store", "Accept, Cookie"),
        (
            {"Cache-Control": ["private", "max-age=1"], "Vary": ["Accept", "Origin"]},
            "private, max-age=1",
            "Accept, Origin, Cookie",
        ),
        ({"Vary": "cookie"}, "no-store", "cookie"),
    ],
)
def test_what_a_response_says_of_caching_is_heard(site, headers, caching, varies):
    """In any case, as text or as a list: kept where it is as strict, and one header of each name."""
    site.use()
    site.app.get("/me")(lambda: Response(200, "text/plain", "x", headers))
    reply = site.ask(cookie=site.cookie)
    assert (reply.values("cache-control"), reply.values("vary")) == ([caching], [varies])


def test_powertools_own_features_still_work(app):
    """Cross-origin headers and compression are applied after the middleware and find the response as they need it."""
    site = Site("http-v2", app, cors=CORSConfig(allow_origin="https://other.test", allow_credentials=True)).use()
    site.app.get("/me", compress=True)(lambda: {"a": "x" * 100})
    reply = site.ask_expired(app, headers=(("Origin", "https://other.test"), ("Accept-Encoding", "gzip")))
    assert reply.values("access-control-allow-origin") == ["https://other.test"]
    assert reply.values("content-encoding") == ["gzip"]
    assert reply.body[:2] == b"\x1f\x8b"
    site.assert_one_new_cookie(reply)


# --- coroutines, and protect around it all


def test_routes_that_are_coroutines(site, app):
    """Under resolve_async the same middleware serves: session, cookies, refusals, errors."""
    site.use()

    @site.app.get("/me")
    async def me():
        await asyncio.sleep(0)
        return {"sub": current_session().sub, "same": current_session() is site.app.context["session"]}

    @site.app.get("/bad")
    async def bad_request():
        await asyncio.sleep(0)
        raise BadRequestError("bad")

    def resolve(event, context):
        return asyncio.run(site.app.resolve_async(event, context))

    reply = site.ask_expired(app, resolve=resolve)
    assert json.loads(reply.body) == {"sub": site.user.sub, "same": True}
    site.assert_one_new_cookie(reply)
    assert site.ask(resolve=resolve).status == 401
    assert site.ask("/bad", cookie=site.cookie, resolve=resolve).status == 400
    assert current_session() is None


def test_an_asynchronous_manager(app):
    """Managers of either kind may stand behind it."""
    site = Site("http-v2", app)
    manager = app.async_manager(cookie="sealed", cookie_name=None, session_keys=ring(1))
    site.app.use(middlewares=[session_middleware(manager)])
    site.app.get("/me")(lambda: {"sub": current_session().sub})
    cookie = cookie_of(asyncio.run(manager.establish(app.sign_in(site.user))))
    assert json.loads(site.ask(cookie=cookie).body) == {"sub": site.user.sub}


CARRIED = ["mapping", "redirect", "one own cookie", "nothing"]
"""What Powertools itself carries through every gateway."""
CARRIED_IN_LISTS = ["bytes", "cookies in headers"]
"""And where headers are lists."""


@pytest.mark.parametrize(
    ("gateway", "name"),
    [*product(RESOLVERS, CARRIED), *product(["rest", "http-v1", "alb-multi"], CARRIED_IN_LISTS), ("http-v2", "bytes")],
)
def test_protect_around_a_resolver(app, gateway, name):
    """`@sessions.protect` above `app.resolve(event, context)`: the session is current in every route, cookies arrive."""
    site = Site(gateway, app)
    site.app.get("/me")(lambda: current_session().sub and ANSWERS[name]())

    @site.manager.protect
    def handler(event, context, me):
        return site.app.resolve(event, context)

    reply = site.ask_expired(app, resolve=handler)
    own = [str(cookie) for cookie in getattr(ANSWERS[name](), "cookies", ())]
    own += [str(OWN), str(OTHER)] if name == "cookies in headers" else []
    site.assert_one_new_cookie(reply, *own)
    assert site.ask(resolve=handler).status == 401


def test_protect_around_a_resolver_with_errors(site, app):
    """Powertools' 404 and error answers carry the cookie, and a guard's refusal in a route is answered by protect."""
    site.app.get("/bad")(bad)
    site.app.get("/forbidden")(forbidden)
    handler = site.manager.protect(lambda event, context, me: site.app.resolve(event, context))
    for path, status in (("/nowhere", 404), ("/bad", 400), ("/forbidden", 403)):
        again = Site(site.gateway.name, app)
        site.cookie = again.cookie
        reply = site.ask_expired(app, path, resolve=handler)
        assert reply.status == status
        site.assert_one_new_cookie(reply)


def test_an_event_of_another_service_is_refused_by_name(app):
    """VPC Lattice's resolver is told that it is not served."""
    resolver = VPCLatticeResolver()
    resolver.use(middlewares=[session_middleware(sealed(app))])
    resolver.get("/me")(dict)
    event = {
        "raw_path": "/me",
        "method": "GET",
        "headers": {},
        "query_string_parameters": {},
        "body": "",
        "is_base64_encoded": False,
    }
    with pytest.raises(ConfigurationError, match="VPC Lattice"):
        resolver.resolve(event, Context())


def test_the_session_required_error_of_a_route_redirects_too(site):
    """A route that asks for a newer sign-in sends a person to the sign-in page."""
    site.use(login_path="/login")

    @site.app.get("/me")
    def me():
        raise SessionRequired("again", reason="stale_sign_in")

    assert site.ask(cookie=site.cookie, headers=(("Sec-Fetch-Mode", "navigate"),)).status == 303
    assert json.loads(site.ask(cookie=site.cookie).body)["reason"] == "stale_sign_in"
