"""What the public face is given: a slip is an error at once that names the parameter, what it expects and what came."""

from __future__ import annotations

import asyncio
import copy
import inspect
import math
import pickle

import boto3
import flask
import pytest

from cognito_session import AsyncSessionManager, ConfigurationError, Session, SessionManager, SessionPolicy
from cognito_session.argument_checks import CHECKS, check_manager
from cognito_session.assembly import _PARTS, Assembly
from cognito_session.http.csrf import Csrf
from cognito_session.http.request import Request
from cognito_session.signin.flows import PasswordFlows
from cognito_session.signin.flows_async import AsyncPasswordFlows
from cognito_session.signin.managed_login import AsyncManagedLogin, ManagedLogin
from cognito_session.web.asgi import CognitoSessionMiddleware as ASGIMiddleware
from cognito_session.web.django import SessionRequiredMixin
from cognito_session.web.django import session_required as django_session_required
from cognito_session.web.fastapi import CognitoAuth
from cognito_session.web.flask import CognitoSession
from cognito_session.web.flask import session_required as flask_session_required
from cognito_session.web.powertools import session_middleware
from cognito_session.web.wsgi import CognitoSessionMiddleware as WSGIMiddleware
from support.case_id import case_id
from support.sealing_keys import ring

SETTINGS = {
    "session_table": "sessions",
    "client_id": "abc",
    "user_pool_id": "eu-central-1_A",
    "session_keys": ring(1),
    "cognito_domain": "mine",
    "app_base_url": "https://app.example",
    "environ": {"AWS_REGION": "eu-central-1"},
}
CLASSES = (SessionManager, AsyncSessionManager, ManagedLogin, AsyncManagedLogin, PasswordFlows, AsyncPasswordFlows)
FREE = {"handler", "configuration", "environ", "kind", "self"}
"""Checked elsewhere, or anything may stand there."""
SECRET = "hunter2-hunter2"


async def later():
    """What a caller forgot to await."""
    return "value"


def names_of(method):
    """The parameters of a method."""
    return [name for name in inspect.signature(method).parameters if name not in FREE]


PUBLIC = [
    (kind, name)
    for kind in CLASSES
    for name, member in inspect.getmembers(kind, inspect.isfunction)
    if not name.startswith("_") and name != "flow"
]


@pytest.mark.parametrize(("kind", "name"), PUBLIC, ids=lambda value: getattr(value, "__name__", value))
def test_every_public_parameter_has_a_check(kind, name):
    """No parameter of a manager or a sign-in is left out of the table."""
    missing = [each for each in names_of(getattr(kind, name)) if each not in CHECKS]
    assert missing == []


def instance_of(kind):
    """One object of a public class."""
    asynchronous = kind.__name__.startswith("Async")
    manager = (AsyncSessionManager if asynchronous else SessionManager).from_env(**SETTINGS)
    if "ManagedLogin" in kind.__name__:
        return manager.managed_login()
    return manager.password_flows() if "Flows" in kind.__name__ else manager


@pytest.mark.parametrize(("kind", "name"), PUBLIC, ids=lambda value: getattr(value, "__name__", value))
def test_an_unawaited_coroutine_is_refused_by_every_public_method(kind, name):
    """Whatever parameter it stands for, the error names the parameter and says to await; nothing is called."""
    method = getattr(instance_of(kind), name)
    for parameter in names_of(getattr(kind, name)):
        required = [
            each.name
            for each in inspect.signature(method).parameters.values()
            if each.default is inspect.Parameter.empty and each.name not in FREE
        ]
        values = dict.fromkeys(required, None) | {parameter: later()}
        order = [*required, *([parameter] if parameter not in required else [])]
        good = {"sub": "s", "sid": "s", "me": a_session(), "request": Request("GET", "/", "", {}), "tokens": {}, "data": {}}
        values = {each: values[each] if each == parameter else good.get(each) for each in order}
        with pytest.raises(ConfigurationError, match=f"^{parameter}: .*await it first"):
            called(method, values)


def called(method, values):
    """What the method answers, of either kind."""
    answer = method(**values)
    return asyncio.run(_awaited(answer)) if inspect.isawaitable(answer) else answer


async def _awaited(value):
    return await value


def a_session(**more):
    """A session as a request has it."""
    made = {"sub": "s", "sid": "i", "username": "u", "groups": ("admin",), "scopes": frozenset({"openid"}), "claims": {}}
    fixed = {"auth_time": 1, "access_token": "t", "token_expires_at": 9, "session_expires_at": 9, "served_at": 2}
    return Session(**{**made, **fixed, **more})


ME = a_session()
WRONG = [
    ("resolve", "cookie_header", {"headers": {}}, "session\\(\\) or protect"),
    ("resolve", "cookie_header", b"a=b", "Cookie header"),
    ("resolve", "cookie_header", [b"a=b"], "Cookie header"),
    ("resolve", "cookie_header", 7, "Cookie header"),
    ("resolve", "remaining_seconds", "3", "number of seconds"),
    ("resolve", "remaining_seconds", True, "number of seconds"),
    ("resolve", "extend", "no", "True or False"),
    ("establish", "cookie_header", {"a": "b"}, "Cookie header"),
    ("establish", "user_agent", b"Firefox", "text"),
    ("sign_out", "cookie_header", {"headers": {}}, "Cookie header"),
    ("sessions_of", "sub", ME, "user's sub"),
    ("sessions_of", "sub", "", "user's sub"),
    ("sessions_of", "current", ME, "session's sid"),
    ("revoke", "sid", ME, "session's sid"),
    ("revoke", "sid", None, "session's sid"),
    ("revoke_all", "sub", b"sub", "user's sub"),
    ("revoke_all", "keep", ME, "session's sid"),
    ("revoke_all", "keep", "", "session's sid"),
    ("revoke_all", "keep", True, "session's sid"),
    ("save_data", "me", "sid", "Session"),
    ("csrf_token", "me", None, "Session"),
    ("managed_login", "scopes", "openid email", "list of names"),
    ("managed_login", "scopes", b"openid", "list of names"),
    ("managed_login", "scopes", ["openid", 7], "list of names"),
    ("managed_login", "scopes", (each for each in ("openid",)), "list of names"),
    ("managed_login", "base_url", b"https://a", "text"),
    ("managed_login", "clear_site_data", "storage", "list of names"),
    ("managed_login", "clear_site_data", ["all"], "one of 'cache', 'cookies', 'storage'"),
    ("managed_login", "callback_path", None, "text"),
    ("password_flows", "issuer", 7, "text"),
]


@pytest.mark.parametrize("kind", [SessionManager, AsyncSessionManager])
@pytest.mark.parametrize(("method", "parameter", "value", "expected"), WRONG, ids=case_id)
def test_wrong_values_of_the_managers(kind, method, parameter, value, expected):
    """Events for headers, sessions for ids, texts for lists, bytes for texts: refused by name, by both managers."""
    refuses(instance_of(kind), method, parameter, value, expected)


def refuses(made, method, parameter, value, expected):
    """Calling `method` with `value` for `parameter` and something right for the others is a ConfigurationError."""
    good = {"sub": "s", "sid": "s", "me": ME, "tokens": {}, "data": {}, "cookie_header": None, "request": REQUEST}
    function = getattr(made, method)
    required = [
        each.name for each in inspect.signature(function).parameters.values() if each.default is inspect.Parameter.empty
    ]
    with pytest.raises(ConfigurationError, match=f"^{parameter}: expected .*{expected}") as caught:
        called(function, {name: good.get(name) for name in required} | {parameter: value})
    assert SECRET not in str(caught.value)


REQUEST = Request("POST", "/sign-out", "", {"sec-fetch-site": ("same-origin",), "host": ("app.example",)})


@pytest.mark.parametrize("kind", [ManagedLogin, AsyncManagedLogin])
@pytest.mark.parametrize("where", ["all", "Everywhere", "", None, True, b"here", ["here"]])
def test_unknown_places_to_sign_out(kind, where):
    """`where="all"` used to end one device and say that all was well."""
    refuses(instance_of(kind), "sign_out", "where", where, "'everywhere'")


@pytest.mark.parametrize("kind", [ManagedLogin, AsyncManagedLogin])
@pytest.mark.parametrize(
    ("method", "parameter", "value"),
    [("start", "prompt", ["login"]), ("start", "sign_up", "yes"), ("start", "return_to", b"/"), ("sign_out", "return_to", 7)],
)
def test_wrong_values_of_managed_login(kind, method, parameter, value):
    """Lists, words and bytes where a text or a truth value is expected."""
    refuses(instance_of(kind), method, parameter, value, "")


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("policy", {"idle_seconds": 60}, "SessionPolicy"),
        ("policy", SessionPolicy, "SessionPolicy"),
        ("csrf", "off", "Csrf"),
        ("on_event", "log", "function"),
        ("on_event", later, "function that is not async"),
        ("keyring", SECRET, "function"),
        ("cookie", "jwt", "'sealed'"),
        ("cookie_name", b"session", "text"),
        ("clients", ["dynamodb"], "mapping"),
        ("store", "sessions", "methods load"),
        ("provider", object(), "methods refresh"),
        ("keys", SECRET, "methods keys"),
        ("clock", 7, "methods now"),
    ],
)
@pytest.mark.parametrize("kind", [SessionManager, AsyncSessionManager])
def test_wrong_values_of_the_constructor(kind, parameter, value, expected):
    """A manager that would fail at its first request, or silently without an event hook, is not made."""
    with pytest.raises(ConfigurationError, match=f"^{parameter}: expected .*{expected}") as caught:
        kind.from_env(**SETTINGS, **{parameter: value})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("guard", "value"),
    [
        ("max_age", "300"),
        ("max_age", -1),
        ("max_age", True),
        ("max_age", float("nan")),
        ("any_group", "admin"),
        ("all_groups", b"admin"),
        ("all_groups", None),
        ("scopes", "openid"),
        ("scopes", [b"openid"]),
        ("all_groups", (each for each in ("admin",))),
        ("any_group", {"admin": True}),
    ],
)
def test_wrong_guards(guard, value):
    """A guard that cannot be meant is refused, and admits nobody."""
    with pytest.raises(ConfigurationError, match=f"^require: {guard}: expected "):
        ME.require(**{guard: value})


@pytest.mark.parametrize("value", [["admin"], ("admin",), {"admin"}, frozenset({"admin"}), {"admin": 1}.keys()])
def test_every_collection_of_names_is_taken(value):
    """Lists, tuples, sets and views alike."""
    ME.require(any_group=value, all_groups=value, max_age=10)


@pytest.mark.parametrize("value", [SessionManager, "sessions", None, object(), {}])
def test_what_is_no_manager(value):
    """A class or a text where an adapter expects a manager."""
    with pytest.raises(ConfigurationError, match=r"^sessions: expected a SessionManager"):
        check_manager("sessions", value)


@pytest.mark.parametrize(
    "settings",
    [
        {"trusted_origins": "https://a.example"},
        {"trusted_origins": [7]},
        {"exempt": b"/a"},
        {"header_token": "yes"},
        {"own_origin": 7},
    ],
)
def test_wrong_csrf_settings(settings):
    """The same rules where they are set up."""
    with pytest.raises(ConfigurationError, match=f"^csrf {next(iter(settings))}: expected "):
        Csrf(**settings)


def fastapi_guard(**guards):
    """FastAPI's dependency."""
    return CognitoAuth(instance_of(AsyncSessionManager)).require(**guards)


def django_mixin(**guards):
    """A class of Django's with the guards as attributes."""
    return type("Page", (SessionRequiredMixin,), guards)


@pytest.mark.parametrize("guard", [fastapi_guard, flask_session_required, django_session_required, django_mixin])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("max_age", value) for value in ("300", -1, math.nan, True)),
        *((name, value) for name in ("any_group", "all_groups", "scopes") for value in ("admin", 5, ["a", 1], b"a", {"a": 1})),
        *((name, (each for each in "ab")) for name in ("any_group", "all_groups", "scopes")),
    ],
)
def test_wrong_guards_of_an_adapter(guard, name, value):
    """Refused where the application is set up, not at the first request that meets them."""
    with pytest.raises(ConfigurationError, match=f"^require: {name}: expected "):
        guard(**{name: value})


@pytest.mark.parametrize("guard", [fastapi_guard, flask_session_required, django_session_required])
def test_an_unknown_guard_of_an_adapter(guard):
    """A name that no guard has is a TypeError at once."""
    with pytest.raises(TypeError, match="groups"):
        guard(groups=["admin"])


LOGIN_PATHS = {
    "protect": lambda path: instance_of(SessionManager).protect(login_path=path),
    "powertools": lambda path: session_middleware(instance_of(SessionManager), login_path=path),
    "asgi": lambda path: ASGIMiddleware(None, instance_of(AsyncSessionManager), login_path=path),
    "wsgi": lambda path: WSGIMiddleware(None, instance_of(SessionManager), login_path=path),
    "fastapi": lambda path: CognitoAuth(instance_of(AsyncSessionManager), login_path=path),
    "flask": lambda path: CognitoSession(flask.Flask("site"), instance_of(SessionManager), login_path=path),
}


@pytest.mark.parametrize("adapter", LOGIN_PATHS)
@pytest.mark.parametrize(
    "path", ["login", "//evil.example", "/\\evil.example", "/søk", "/log in", "/a\r\nb", 5, b"/login", ["/login"]]
)
def test_a_login_path_that_is_none(adapter, path):
    """An adapter refuses what no browser could be sent to, before anybody has to sign in."""
    with pytest.raises(ConfigurationError, match=r"^login_path: expected a path like /login"):
        LOGIN_PATHS[adapter](path)


@pytest.mark.parametrize("adapter", LOGIN_PATHS)
@pytest.mark.parametrize(
    "path", ["/login", "/", "/en/login?from=app", "https://id.example/login", "https://[::1]:8000/", "", None]
)
def test_a_login_path_that_is_one(adapter, path):
    """A path, a whole address, and nothing."""
    LOGIN_PATHS[adapter](path)


def test_powertools_optional_is_true_or_false():
    """The text "false" would let everybody in."""
    with pytest.raises(ConfigurationError, match=r"^optional: expected True or False"):
        session_middleware(instance_of(SessionManager), optional="false")


@pytest.mark.parametrize("kind", [SessionManager, AsyncSessionManager])
@pytest.mark.parametrize(("name", "value"), [("prefix", 5), ("prefix", None), ("environ", ["A=1"]), ("environ", "A=1")])
def test_wrong_environments(kind, name, value):
    """What variables cannot be read from."""
    with pytest.raises(ConfigurationError, match=f"^{name}: expected "):
        kind.from_env(**{**SETTINGS, name: value})


@pytest.mark.parametrize(
    ("method", "parameter", "value", "message"),
    [
        ("sessions_of", "sub", "", "not an empty text"),
        ("revoke_all", "keep", "", "not an empty text"),
        ("resolve", "remaining_seconds", math.nan, "not infinity or NaN"),
        ("managed_login", "login_path", "login", "not another text"),
    ],
)
def test_a_value_of_the_right_type_is_not_refused_by_its_type(method, parameter, value, message):
    """The message never says that a text was expected and a text came."""
    good = {"cookie_header": None, "sub": "s"} if parameter != "login_path" else {}
    function = getattr(instance_of(SessionManager), method)
    given = {name: good[name] for name in inspect.signature(function).parameters if name in good} | {parameter: value}
    with pytest.raises(ConfigurationError, match=f"^{parameter}: expected .*{message}$"):
        function(**given)
    with pytest.raises(ConfigurationError, match=r"not a negative number$"):
        ME.require(max_age=-1)
    with pytest.raises(ConfigurationError, match=r"^cookie: expected one of 'sealed', 'token', not another text$"):
        SessionManager.from_env(**SETTINGS, cookie=SECRET)


@pytest.mark.parametrize("kind", [SessionManager, AsyncSessionManager])
@pytest.mark.parametrize(
    ("name", "message"),
    [("usr_pool_id", "did you mean 'user_pool_id'"), ("cookie_nam", "did you mean 'cookie_name'"), ("zz", "keyword 'zz'$")],
)
def test_a_keyword_that_from_env_does_not_have(kind, name, message):
    """A misspelled setting is named, with the method that was called and the nearest keyword."""
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\.from_env\(\) has no keyword '{name}'|{message}") as caught:
        kind.from_env(**SETTINGS, **{name: "x"})
    assert message.rstrip("$") in str(caught.value)


@pytest.mark.parametrize("name", ["max_sessions", "recent_sign_in_seconds", "audiences", "accept_unsealed_rows"])
def test_a_setting_of_the_policy_is_pointed_to_the_policy(name):
    """It is no misspelled keyword: the message names SessionPolicy, not the keyword that looks most like it."""
    with pytest.raises(TypeError, match=rf"'{name}': use policy=SessionPolicy\({name}=\.\.\.\)$"):
        SessionManager.from_env(**SETTINGS, **{name: 3})


def test_every_keyword_of_the_constructor_is_known_to_from_env():
    """The list that misspelled keywords are compared with is the signature's."""
    names = set(inspect.signature(Assembly).parameters) - {"configuration", "environ"}
    assert names == set(_PARTS)


@pytest.mark.parametrize("kind", [SessionManager, AsyncSessionManager])
@pytest.mark.parametrize("value", ["sessions", {}, None, SessionManager])
def test_a_manager_is_made_of_a_configuration(kind, value):
    """Settings that were passed without from_env are told about it."""
    with pytest.raises(ConfigurationError, match=rf"^configuration: expected .*{kind.__name__}\.from_env\(\) makes"):
        kind(value)


@pytest.mark.parametrize("value", ["session", 5, boto3.Session])
def test_what_is_no_boto3_session(value):
    """It is refused at set-up. At the first call it would be missing credentials, a 503."""
    with pytest.raises(ConfigurationError, match=r"^boto3_session: expected a boto3\.Session"):
        SessionManager.from_env(**SETTINGS, boto3_session=value)


def test_clients_are_those_of_the_services_that_are_called():
    """A misspelled service would get a client of ours, with other credentials; another service's client fails later."""
    session = boto3.Session("a", "b", region_name="eu-central-1")
    dynamodb = session.client("dynamodb")
    SessionManager.from_env(**SETTINGS, clients={"dynamodb": dynamodb, "cognito-idp": session.client("cognito-idp")})
    with pytest.raises(ConfigurationError, match=r"^clients: expected dynamodb, cognito-idp, secretsmanager as names"):
        SessionManager.from_env(**SETTINGS, clients={"ddb": dynamodb})
    for wrong in (session.resource("dynamodb"), session.client("cognito-idp"), 5, type(dynamodb)):
        with pytest.raises(ConfigurationError, match=r'^clients: expected what boto3\.client\("dynamodb"\) returns'):
            SessionManager.from_env(**SETTINGS, clients={"dynamodb": wrong})


def test_an_empty_cookie_name_is_no_name():
    """Neither a manager nor `session` takes the default in its place."""
    with pytest.raises(ConfigurationError, match=r"^cookie_name: expected"):
        SessionManager.from_env(**SETTINGS, cookie_name="")


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("carried", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_manager_is_not_carried_to_another_process(kind, carried):
    """The error names the manager, or its engine, and what to do; keys are not copied."""
    with pytest.raises(TypeError, match=r"(SessionManager|Engine) cannot be pickled or copied.* make one in each process"):
        carried(instance_of(kind) if carried is not copy.copy else instance_of(SessionManager))


@pytest.mark.parametrize("kind", [SessionManager, AsyncSessionManager])
@pytest.mark.parametrize(
    "address", ["https://app.example/?a=1", "https://app.example/#top", "app.example", "http://app.example"]
)
def test_a_base_url_is_checked_when_the_login_is_made(kind, address):
    """The error names the parameter, and comes before the first sign-in. White space around it is not part of it."""
    manager = kind.from_env(**SETTINGS)
    with pytest.raises(ConfigurationError, match=r"^base_url: ") as caught:
        manager.managed_login(base_url=address)
    assert "SESSION_PLAIN_HTTP_HOSTS" not in str(caught.value)
    assert manager.managed_login(base_url=" https://app.example\n").site.base_url == "https://app.example"
