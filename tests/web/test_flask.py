"""The Flask extension, as a Flask application uses it: factory, blueprints, error handlers, async views, templates."""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from typing import Any

import flask
import pytest
from flask.views import MethodView
from werkzeug.exceptions import Conflict

import cognito_session
from cognito_session import ConfigurationError, Session, SessionError, SessionForbidden
from cognito_session.http.response import Response
from cognito_session.web.adapted_request import adapt
from cognito_session.web.flask import (
    CognitoSession,
    current_request_session,
    current_session,
    establish,
    request_of,
    respond,
    session_manager,
    session_required,
    sign_out,
)
from cognito_session.web.wsgi import CognitoSessionMiddleware
from support.stack import COOKIE, cookie_of, done, fresh, make_app, shared_stack

GET_TOKENS, READ = "GetTokensFromRefreshToken", "GetItem"
OURS = {"Sec-Fetch-Site": "same-origin"}
PAGE = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
DELETED = f"{COOKIE}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"

sessions = CognitoSession()
"""One extension at module level for every application of this file."""

pages = flask.Blueprint("pages", __name__)


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """A pool and a table of one row per user, with rotation and no grace: the hardest setting."""
    return make_app(stack, rotation_grace_seconds=0, groups=("users", "admin", "ops"))


@pytest.fixture(params=["sync", "async"])
def manager(app, request):
    """A manager of either kind."""
    return app.async_manager() if request.param == "async" else app.manager()


@pytest.fixture
def site(manager):
    """The application, made by its factory."""
    return create_app(manager)


@pytest.fixture
def cookie(app):
    """The cookie of a session that has been used."""
    manager = app.manager()
    me = cookie_of(manager.establish(app.sign_in(app.user())))
    assert manager.resolve(me).session.set_cookies == ()
    app.stack.clear_calls()
    return me


def create_app(manager: Any = None, **config: Any) -> flask.Flask:
    """An application factory."""
    site = flask.Flask(__name__)
    site.config.update(SECRET_KEY="flask's own", PROPAGATE_EXCEPTIONS=False, **config)
    sessions.init_app(site, manager)
    site.register_blueprint(pages)

    @site.errorhandler(404)
    def missing(error):
        return {"missing": True}, 404

    @site.errorhandler(KeyError)
    def broken(error):
        return {"broken": True}, 500

    return site


def ask(site: flask.Flask, path: str, *, method: str = "GET", cookie: str | None = None, **headers: str) -> Any:
    """One request of a browser that sends nothing by itself."""
    sent = {**headers, **({} if cookie is None else {"Cookie": cookie})}
    client = site.test_client(use_cookies=False)
    return client.open(path, method=method, headers=sent, base_url="https://app.example")


def cookies(reply: Any) -> list[str]:
    """The Set-Cookie values."""
    return reply.headers.getlist("Set-Cookie")


def names(reply: Any) -> list[str]:
    """The names of the cookies that are set."""
    return sorted(line.partition("=")[0] for line in cookies(reply))


@pages.get("/me")
def who():
    before, me, again = cognito_session.current_session(), current_session(), current_session()
    assert before is None
    assert me is again is cognito_session.current_session()
    return {"me": None if me is None else me.username}


@pages.get("/json")
@session_required
def as_json():
    me = current_session()
    assert isinstance(me, Session)
    return {"me": me.username}


@pages.get("/abort")
@session_required
def aborting():
    flask.abort(404)


@pages.get("/conflict")
@session_required
def conflicting():
    raise Conflict


@pages.get("/broken")
@session_required
def breaking():
    raise KeyError("bug")


@pages.get("/unhandled")
@session_required
def unhandled():
    raise ZeroDivisionError


@pages.get("/stream")
@session_required
def streaming():
    return flask.Response(flask.stream_with_context(f"{part}{flask.request.method}" for part in "ab"))


@pages.get("/flash")
@session_required
def flashing():
    flask.flash("hello")
    return flask.redirect("/next")


@pages.get("/template")
def templated():
    return flask.render_template_string("{% if current_session() %}{{ current_session().username }}{% else %}nobody{% endif %}")


@pages.get("/async")
@session_required
async def awaited():
    await asyncio.sleep(0)
    me = current_session()
    assert me is not None
    return {"me": me.username}


@pages.get("/admins")
@session_required(any_group=["admin"])
def admins():
    return {"admin": True}


@pages.get("/async-admins")
@session_required(any_group=["admin"])
async def async_admins():
    return {"admin": True}


class Item(MethodView):
    decorators = (session_required(all_groups=["admin", "ops"]),)

    def get(self):
        return {"item": True}


pages.add_url_rule("/item", view_func=Item.as_view("item"))


@pages.post("/changes")
def changes():
    return {"changed": True}


@pages.post("/sign-in")
def signing_in():
    before = current_session()
    me = establish(flask.current_app.config["TOKENS"])
    return {"before": before is not None, "me": me.username}


@pages.post("/sign-out")
def signing_out():
    sign_out()
    return flask.redirect("/public")


# --- What somebody asks for


def test_nobody_is_current_before_somebody_asks(site, stack, cookie):
    """The view compares what it is told before, the first and the second time, and afterwards; there is one read."""
    assert ask(site, "/me", cookie=cookie).json["me"].startswith("user-")
    assert done(stack) == [READ]


RESPONSES = {
    "/abort": (404, {"missing": True}),
    "/conflict": (409, None),
    "/broken": (500, {"broken": True}),
    "/unhandled": (500, None),
}


@pytest.mark.parametrize("path", RESPONSES)
def test_a_refreshed_cookie_reaches_the_browser_whatever_the_view_raises(app, site, cookie, path):
    """After expiry: abort() and an exception with a handler of the application's, HTTPException, an unhandled error."""
    app.expire()
    status, body = RESPONSES[path]
    reply = ask(site, path, cookie=cookie)
    assert (reply.status_code, names(reply)) == (status, [COOKIE])
    assert body is None or reply.json == body
    assert (reply.headers["Cache-Control"], reply.headers["Vary"]) == ("no-store", "Cookie")
    assert app.stack.count(GET_TOKENS) == 1
    assert app.manager().resolve(cookies(reply)[0].partition(";")[0]).session.set_cookies == ()


def test_a_stream_is_served_with_its_cookie(app, site, cookie):
    """The cookie goes out before the first chunk, and the request is at hand until the last one."""
    app.expire()
    reply = ask(site, "/stream", cookie=cookie)
    assert (reply.text, names(reply)) == ("aGETbGET", [COOKIE])


def test_flasks_own_session_is_left_alone(app, site, cookie):
    """A flash travels in Flask's cookie beside ours; Vary names Cookie once."""
    app.expire()
    reply = ask(site, "/flash", cookie=cookie)
    assert (names(reply), reply.headers.getlist("Vary")) == (["session", COOKIE], ["Cookie"])


def test_templates_ask_by_themselves(site, stack, cookie):
    """`current_session()` is there in every template, and asks only where it is called."""
    assert ask(site, "/template", cookie=cookie).text.startswith("user-")
    assert done(stack) == [READ]
    assert ask(site, "/template").text == "nobody"


# --- Signing in and out


def test_a_sign_in_wins_over_the_refresh(app, site, cookie):
    """A session begun in a request whose old one was refreshed: only the new cookie goes out, and it serves."""
    app.expire()
    user = app.user()
    site.config["TOKENS"] = app.sign_in(user)
    reply = ask(site, "/sign-in", method="POST", cookie=cookie, **OURS)
    assert reply.json == {"before": True, "me": user.username}
    (line,) = cookies(reply)
    assert ask(site, "/json", cookie=line.partition(";")[0]).json == {"me": user.username}
    assert ask(site, "/json", cookie=cookie).status_code == 401


def test_a_sign_in_that_cannot_be_kept_is_refused(app, site, cookie):
    """Of a user who has been signed out everywhere since: 401 with the reason, and no cookie."""
    user = app.user()
    tokens = app.sign_in(user)
    manager = app.manager()
    manager.establish(tokens)
    manager.revoke_all(user.sub)
    site.config["TOKENS"] = tokens
    reply = ask(site, "/sign-in", method="POST", **OURS)
    assert (reply.status_code, reply.json["reason"], cookies(reply)) == (401, "signed_out", [])


def test_a_sign_out_deletes_the_cookie_in_any_case(app, site, cookie):
    """Also where the table does not answer, which is then said."""
    app.stack.fault("UpdateItem", "error500", times=None)
    lost = ask(site, "/sign-out", method="POST", cookie=cookie, **OURS)
    assert (lost.status_code, cookies(lost)) == (503, [DELETED])


# --- Refusals


@pytest.mark.parametrize("path", ["/json", "/item"])
def test_a_person_is_sent_to_sign_in_where_it_is_said(manager, path):
    """By app.config or by the extension's argument; without either a page. Views that are classes are no exception."""
    by_config = create_app(manager, COGNITO_SESSION_LOGIN_PATH="/login")
    page = ask(by_config, f"{path}?x=1", **PAGE)
    assert (page.status_code, page.headers["Location"]) == (303, f"/login?return_to={path}%3Fx%3D1")
    by_argument = flask.Flask(__name__)
    CognitoSession(by_argument, manager, login_path="/in")
    by_argument.register_blueprint(pages)
    assert ask(by_argument, path, **PAGE).headers["Location"] == f"/in?return_to={path}"
    assert ask(create_app(manager), path, **PAGE).content_type == "text/html; charset=utf-8"


def test_a_guard_of_a_class_lets_in_whom_it_names(app, site):
    """403 with the reason for those who lack one of its groups; others are served."""
    manager = app.manager()
    lacking, having = app.user(groups=["users"]), app.user(groups=["admin", "ops"])
    cookies = [cookie_of(manager.establish(app.sign_in(user))) for user in (lacking, having)]
    refused, served = [ask(site, "/item", cookie=cookie) for cookie in cookies]
    assert (refused.status_code, refused.json) == (403, {"error": "forbidden", "reason": "group_required"})
    assert served.status_code == 200


def test_the_applications_own_error_handlers_come_first(manager):
    """Registered before or after the extension, for all our errors or for one; a refused POST reaches them, too."""
    site = flask.Flask(__name__)

    @site.errorhandler(SessionError)
    def ours(error):
        return {"own": error.reason}, 418

    CognitoSession(site, manager)
    site.register_blueprint(pages)
    assert (ask(site, "/json").status_code, ask(site, "/json").json) == (418, {"own": "no_cookie"})
    later = create_app(manager)

    @later.errorhandler(SessionForbidden)
    def forbidden(error):
        return {"own": error.reason}, 403

    assert ask(later, "/changes", method="POST").json == {"own": "cross_site"}
    assert ask(later, "/json").json["reason"] == "no_cookie"


# --- Setting up


def test_configuration_comes_from_app_config(app, stack):
    """Every keyword under COGNITO_SESSION_; what else begins so is refused by its name."""
    names = {"USER_POOL_ID": app.pool.user_pool_id, "CLIENT_ID": app.pool.client_id, "SESSION_TABLE": app.table}
    rest = {"ENVIRON": app.pool.environment(), "COOKIE": "token", "COOKIE_NAME": "mine", "CLOCK": stack.clock}
    config = {f"COGNITO_SESSION_{name}": value for name, value in {**names, **rest}.items()}
    site = create_app(**config)
    with site.app_context():
        manager = session_manager()
        assert (manager.configuration.session_table, manager.context.cookie.name) == (app.table, "mine")
    me = manager.establish(app.sign_in(app.user()))
    assert ask(site, "/json", cookie=cookie_of(me)).json == {"me": me.username}
    with pytest.raises(ConfigurationError, match="COGNITO_SESSION_TABEL: no such setting"):
        create_app(COGNITO_SESSION_TABEL="x", **config)


def test_what_app_config_does_not_say_comes_from_the_environment(app, monkeypatch):
    """An operator may configure by environment alone; an explicit manager needs neither."""
    for name, value in app.environment.items():
        monkeypatch.setenv(name, value)
    with create_app(COGNITO_SESSION_COOKIE="token").app_context():
        assert session_manager().configuration.session_table == app.table
    mine = app.manager()
    with create_app(mine, COGNITO_SESSION_CLIENT_ID="ignored").app_context():
        assert session_manager() is mine


def test_two_applications_have_two_managers(stack):
    """One extension object, two applications in one process: each serves its own cookie and refuses the other's."""
    apps = [make_app(stack), make_app(stack)]
    sites = [create_app(each.manager()) for each in apps]
    cookies = [cookie_of(each.manager().establish(each.sign_in(each.user()))) for each in apps]
    table = [[ask(site, "/json", cookie=cookie).status_code for cookie in cookies] for site in sites]
    assert table == [[200, 401], [401, 200]]


def test_it_may_stand_within_the_plain_middleware(app, cookie):
    """One manager around and within an application: the cookie goes out once."""
    manager = app.manager()
    site = create_app(manager)
    site.wsgi_app = CognitoSessionMiddleware(site.wsgi_app, manager)
    app.expire()
    assert names(ask(site, "/json", cookie=cookie)) == [COOKIE]


def test_an_application_has_one(site, app):
    """A second init_app would check and serve twice: it is refused."""
    with pytest.raises(ConfigurationError, match="has one already"):
        sessions.init_app(site, app.manager())


def test_without_the_extension_it_is_said_what_is_missing():
    """Nobody is taken for signed out because the extension is not there."""
    site = flask.Flask(__name__)
    with site.test_request_context("/"), pytest.raises(ConfigurationError, match="no CognitoSession"):
        current_session()


def test_outside_a_request_there_is_nobody(site):
    """Code that also runs in a job or a shell finds None."""
    with site.app_context():
        assert current_session() is None


def test_a_request_context_of_a_test_can_be_asked(site, cookie):
    """test_request_context has gone through no server, and is asked all the same, once."""
    with site.test_request_context("/", headers={"Cookie": cookie}):
        me = current_session()
        assert me is not None
        assert current_session() is me
        assert current_request_session().required() is me


def test_nothing_is_left_behind(site, cookie, app):
    """After a request nobody is current, also within an application context that outlives it; the visit can be freed."""
    seen = []

    @site.after_request
    def remember(response):
        seen.append(weakref.ref(current_request_session()))
        return response

    with site.app_context():
        assert ask(site, "/json", cookie=cookie).status_code == 200
        assert ask(site, "/json").status_code == 401
        assert ask(site, "/me").json == {"me": None}
        assert (cognito_session.current_session(), vars(flask.g)) == (None, {})
    gc.collect()
    assert [visit() for visit in seen] == [None, None, None]


# --- Our requests and responses


def test_a_door_knows_flasks_requests(site):
    """What managed login is handed is understood, mount point included, and answered with each cookie for itself."""
    with site.test_request_context("/a?b=1", headers={"X-Own": "1"}, base_url="https://app.example/m"):
        door = adapt(flask.request)
        assert door.request == request_of(flask.request)
        assert (door.request.path, door.request.query, door.request.header("x-own")) == ("/m/a", "b=1", "1")
        native = door.respond(Response(303, {"Location": "/x"}, "", ("a=1; Path=/", "b=2")))
    assert isinstance(native, flask.Response)
    assert (native.status_code, native.headers["Location"]) == (303, "/x")
    assert native.headers.getlist("Set-Cookie") == ["a=1; Path=/", "b=2"]
    assert respond(Response(200, {"Content-Type": "text/plain"}, "hi")).get_data(as_text=True) == "hi"


def test_views_keep_their_names_and_kinds():
    """A guarded view is what it was to Flask: endpoint names come from it, and async stays async."""
    assert (as_json.__name__, awaited.__name__) == ("as_json", "awaited")
    assert [inspect.iscoroutinefunction(view) for view in (as_json, awaited, admins, async_admins)] == [
        False,
        True,
        False,
        True,
    ]
