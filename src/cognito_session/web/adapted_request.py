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
from cognito_session.http.request import Request
from cognito_session.http.response import Response

__all__ = ["AdaptedRequest", "adapt"]


class AdaptedRequest(NamedTuple):
    """One request, and how it is answered."""

    request: Request
    respond: Callable[[Response], Any]


_FRAMEWORKS: Final = (
    ("starlette.requests", "HTTPConnection", "cognito_session.web.starlette"),
    ("werkzeug.wrappers", "Request", "cognito_session.web.flask"),
    ("django.http", "HttpRequest", "cognito_session.web.django"),
)
"""Module and class of a request, and which of our modules knows it: `request_of` and `respond` are there."""


def adapt(native: Any) -> AdaptedRequest:
    """The door this request came through. Raises ConfigurationError for what is none."""
    if isinstance(native, Request):
        return AdaptedRequest(native, _unchanged)
    for module, name, ours in _FRAMEWORKS:
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(native, getattr(loaded, name)):
            knows = import_module(ours)
            return AdaptedRequest(knows.request_of(native), knows.respond)
    if isinstance(native, Mapping):
        return _adapt_lambda_event(native)
    raise ConfigurationError(
        f"expected a Lambda event or a request of Starlette, FastAPI, Flask or Django, not {type(native).__name__}"
    )


def _adapt_lambda_event(event: Mapping[str, Any]) -> AdaptedRequest:
    from functools import partial

    from cognito_session.web.aws_lambda.event import form_of, request_of
    from cognito_session.web.aws_lambda.response import respond

    form = form_of(event)
    return AdaptedRequest(request_of(event), partial(respond, form))


def _unchanged(response: Response) -> Response:
    return response
