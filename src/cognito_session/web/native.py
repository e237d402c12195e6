"""Whatever a framework calls a request, as a Request, and a Response back in that framework's own form.

    door = door_of(request)          # a Lambda event, a Starlette, Flask or Django request, or a Request of ours
    return door.respond(response)

A framework is asked for only where it is already loaded: who holds one of its requests has loaded it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

from cognito_session.core.errors import ConfigurationError
from cognito_session.web.request import Request
from cognito_session.web.response import Response

__all__ = ["Door", "door_of"]


class Door(NamedTuple):
    """One request, and how it is answered."""

    request: Request
    respond: Callable[[Response], Any]


_FRAMEWORKS: Final = (
    ("starlette.requests", "HTTPConnection", "cognito_session.web.starlette"),
    ("werkzeug.wrappers", "Request", "cognito_session.web.flask"),
    ("django.http", "HttpRequest", "cognito_session.web.django"),
)
"""Module and class of a request, and which of our modules knows it: `request_of` and `respond` are there."""


def door_of(native: Any) -> Door:
    """The door this request came through. Raises ConfigurationError for what is none."""
    if isinstance(native, Request):
        return Door(native, _unchanged)
    for module, name, ours in _FRAMEWORKS:
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(native, getattr(loaded, name)):
            knows = import_module(ours)
            return Door(knows.request_of(native), knows.respond)
    if isinstance(native, Mapping):
        return _lambda_door(native)
    raise ConfigurationError(
        f"expected a Lambda event or a request of Starlette, FastAPI, Flask or Django, not {type(native).__name__}"
    )


def _lambda_door(event: Mapping[str, Any]) -> Door:
    from functools import partial

    from cognito_session.web.lambda_event import form_of, request_of, respond

    form = form_of(event)
    return Door(request_of(event), partial(respond, form))


def _unchanged(response: Response) -> Response:
    return response
