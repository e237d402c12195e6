"""A Session returned from a view is sent as its facts, and its tokens and cookies never are."""

# Annotations are not postponed in this file: the frameworks read those of their handlers.

import dataclasses
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import flask
import litestar
import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from fastapi import FastAPI

from cognito_session import Session
from cognito_session.web import fastapi as _fastapi  # noqa: F401 - it teaches pydantic
from cognito_session.web.flask import CognitoSession
from doors import wires
from managed.scene import sealed
from web.gateways import Call, HttpApi2

SECRET = "secret-text"
ME = Session(
    sub="sub-1",
    sid="sid-1",
    username="alice",
    groups=("admins",),
    scopes=frozenset({"openid", "orders/read"}),
    claims=MappingProxyType({"claim": SECRET}),
    auth_time=1_700_000_000,
    access_token=SECRET,
    token_expires_at=1_700_003_600,
    session_expires_at=None,
    data=MappingProxyType({"cart": SECRET}),
    set_cookies=(f"__Host-session={SECRET}",),
)
FACTS = ME.facts()


def test_what_reads_a_dataclass_by_its_fields_finds_the_facts():
    """asdict, which JSON encoders use, knows nothing else; dataclasses.replace still keeps everything."""
    assert dataclasses.asdict(ME) == {**FACTS, "groups": ME.groups, "scopes": ME.scopes}
    assert SECRET not in repr((dataclasses.asdict(ME), dataclasses.astuple(ME), dataclasses.fields(ME)))
    other = dataclasses.replace(ME, username="bob")
    assert {name: getattr(other, name) for name in Session.__slots__} == {
        **{name: getattr(ME, name) for name in Session.__slots__},
        "username": "bob",
    }


def plain(body: bytes) -> Any:
    """The JSON, in which the order of scopes does not matter."""
    assert SECRET.encode() not in body
    return json.loads(body, object_hook=lambda o: {**o, "scopes": sorted(o["scopes"])} if "scopes" in o else o)


def fastapi_answer(view: Any, **keywords: Any) -> Any:
    application = FastAPI()
    application.get("/me", **keywords)(view)
    return wires.asgi(application)(Call("GET", "/me"))


def bare() -> Any:
    return ME


def annotated() -> Session:
    return ME


def optional() -> Session | None:
    return ME


def nested() -> Any:
    return {"me": [ME]}


def nested_model() -> dict[str, list[Session]]:
    return {"me": [ME]}


@pytest.mark.parametrize("view", [bare, annotated, optional, nested, nested_model])
def test_fastapi(view):
    """Returned bare, annotated, optional or within something else: 200 with the facts."""
    answer = fastapi_answer(view)
    assert (answer.status, plain(answer.body)) == (200, {"me": [FACTS]} if "nested" in view.__name__ else FACTS)


def test_openapi_names_the_facts():
    """The schema of an annotated endpoint has the same names and none of a secret."""
    application = FastAPI()
    application.get("/me")(annotated)
    schema = json.dumps(application.openapi())
    assert all(f'"{name}"' in schema for name in FACTS)
    assert "access_token" not in schema
    assert "set_cookies" not in schema


@pytest.mark.parametrize(
    ("returned", "status", "found"),
    [
        (lambda: ME, 200, FACTS),
        (lambda: (ME, 201), 201, FACTS),
        (lambda: (ME, 201, {"X-A": "1"}), 201, FACTS),
        (lambda: {"me": ME}, 200, {"me": FACTS}),
        (lambda: flask.jsonify(ME), 200, FACTS),
        (lambda: flask.jsonify([ME]), 200, [FACTS]),
        (lambda: ("text", 202), 202, None),
    ],
    ids=["bare", "with status", "with headers", "nested", "jsonify", "list", "anything else"],
)
def test_flask(app, returned, status, found):
    """Returned bare, with a status, within a dict or by jsonify; other views answer as before."""
    application = flask.Flask("facts", root_path=str(Path(__file__).parent))
    CognitoSession(application, sealed(app))
    application.add_url_rule("/me", "me", returned)
    answer = wires.wsgi(application)(Call("GET", "/me"))
    assert answer.status == status
    assert found is None or plain(answer.body) == found


@pytest.mark.parametrize("view", [bare, annotated, nested])
def test_litestar_sends_no_token(view):
    """Its encoder (msgspec) goes by the names of all fields and cannot be told: it fails rather than to send them."""
    application = litestar.Litestar([litestar.get("/me", sync_to_thread=False)(view)], openapi_config=None, logging_config=None)
    answer = wires.asgi(application)(Call("GET", "/me"))
    assert (answer.status, SECRET.encode() in answer.body) == (500, False)


@pytest.mark.parametrize("view", [bare, annotated, nested])
def test_powertools_with_validation(view):
    """With enable_validation its encoder reads fields as well, and pydantic knows a Session."""
    router = APIGatewayHttpResolver(enable_validation=True)
    router.get("/me")(view)
    answer = HttpApi2().answer(router.resolve(HttpApi2().event(Call("GET", "/me")), None))
    assert (answer.status, plain(answer.body)) == (200, {"me": [FACTS]} if view is nested else FACTS)
