"""Managed login's start in every framework's own request: a prefetch begins nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flask
import pytest
from django.test import RequestFactory
from starlette.applications import Starlette
from starlette.routing import Route

from doors import django_doors, wires  # noqa: F401 - the doors configure Django
from managed.scene import sealed
from web.gateways import GATEWAYS, Call

PREFETCH = (("Sec-Purpose", "prefetch;prerender"), ("Sec-Fetch-Mode", "navigate"))
DOORS = [*GATEWAYS, "starlette", "flask", "django"]


def asked(login: Any, door: str, call: Call) -> Any:
    """The answer of login.start below this door."""
    if door in GATEWAYS:
        return GATEWAYS[door].answer(login.start(GATEWAYS[door].event(call)))
    if door == "starlette":

        async def start(request: Any) -> Any:
            return login.start(request)

        return wires.asgi(Starlette(routes=[Route("/login", start)]))(call)
    if door == "flask":
        application = flask.Flask("doors", root_path=str(Path(__file__).parent))
        application.add_url_rule("/login", "login", lambda: login.start(flask.request))
        return wires.wsgi(application)(call)
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in call.headers}
    response = login.start(RequestFactory().get(f"{call.path}?{call.query}", **headers))
    return type("Answered", (), {"status": response.status_code, "cookies": list(response.cookies), "values": response.headers})


@pytest.fixture
def login(app):
    """Managed login of a site."""
    return sealed(app, cognito_domain=app.stack.url, app_base_url="https://app.example").managed_login()


@pytest.mark.parametrize("door", DOORS)
def test_a_prefetch_begins_no_flow_at_any_door(login, door):
    """503 without a cookie; the navigation that follows begins one."""
    call = Call("GET", "/login", "return_to=/orders", PREFETCH)
    answer = asked(login, door, call)
    assert (answer.status, answer.cookies) == (503, [])
    answer = asked(login, door, call._replace(headers=PREFETCH[1:]))
    assert (answer.status, len(answer.cookies)) == (303, 1)
