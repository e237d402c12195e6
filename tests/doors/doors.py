"""Every front door by its name, and what a door cannot do, each with the reason."""

from __future__ import annotations

from typing import Final

from aws_lambda_powertools.event_handler import ALBResolver, APIGatewayHttpResolver, APIGatewayRestResolver

from doors.asgi_doors import asgi_door, starlette_door
from doors.asgi_frameworks import litestar_door, quart_door, sanic_door
from doors.django_doors import django_door
from doors.fastapi_doors import fastapi_door, mangum_door
from doors.lambda_doors import Build, powertools_door, protect_door
from doors.wsgi_doors import flask_door, wsgi_door
from doors.wsgi_frameworks import bottle_door, falcon_door
from web.gateways import GATEWAYS

__all__ = ["CANNOT", "DOORS", "doors_that_can"]

DOORS: Final[dict[str, Build]] = {
    **{f"lambda {form}, sync": protect_door(form) for form in GATEWAYS},
    **{f"lambda {form}, async": protect_door(form, asynchronous=True) for form in GATEWAYS},
    "powertools rest": powertools_door("rest", APIGatewayRestResolver),
    "powertools http-v2": powertools_door("http-v2", APIGatewayHttpResolver),
    "powertools alb": powertools_door("alb", ALBResolver),
    "asgi": asgi_door,
    "starlette": starlette_door,
    "fastapi, sync": fastapi_door(asynchronous=False),
    "fastapi, async": fastapi_door(asynchronous=True),
    "mangum http-v2": mangum_door("http-v2"),
    "mangum rest": mangum_door("rest"),
    "litestar": litestar_door,
    "quart": quart_door,
    "sanic": sanic_door,
    "wsgi": wsgi_door,
    "bottle": bottle_door,
    "falcon": falcon_door,
    "flask, sync": flask_door(asynchronous=False),
    "flask, async": flask_door(asynchronous=True),
    "django wsgi, sync": django_door(under_asgi=False, async_views=False),
    "django wsgi, async": django_door(under_asgi=False, async_views=True),
    "django asgi, sync": django_door(under_asgi=True, async_views=False),
    "django asgi, async": django_door(under_asgi=True, async_views=True),
}
"""Name -> what builds the application behind it."""

_ONE_DOCUMENT: Final = "a function's answer is one JSON document, so there is nothing to stream"
_LAST_VALUE: Final = "without multi-value headers a load balancer passes on the last value of a header only"

CANNOT: Final[dict[str, dict[str, str]]] = {
    "stream": {name: _ONE_DOCUMENT for name in DOORS if name.startswith(("lambda ", "powertools "))},
    "take several Cookie headers": dict.fromkeys(("lambda alb, sync", "lambda alb, async", "powertools alb"), _LAST_VALUE),
}
"""What the suite leaves out: what is wanted -> door -> why it cannot. (Mangum gathers a stream into one document.)"""


def doors_that_can(what: str) -> list[str]:
    """The doors that a test of this is run through."""
    return [name for name in DOORS if name not in CANNOT[what]]
