"""The Set-Cookie values of a response that reach the browser: of a Lambda response by its gateway's rules, or of a framework's.

Cookies that a gateway drops are dropped here too, so that a test detects a cookie in the wrong place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cognito_session.testing.events import EventForm

__all__ = ["set_cookie_lines"]


def set_cookie_lines(answer: Any, form: EventForm | None = None) -> list[str]:
    """The Set-Cookie values of a Lambda response to an event of this form, of a framework's response, or of a Session.

    Supports Starlette, FastAPI, httpx, Flask and Django; a list of texts is returned as it is. Raises TypeError for anything
    else.
    """
    if isinstance(answer, Mapping):
        return _lambda_lines(answer, form)
    headers = getattr(answer, "headers", None)
    for method in ("get_list", "getlist"):
        values = getattr(headers, method, None)
        if callable(values):
            return list(values("set-cookie"))
    cookies = getattr(answer, "cookies", None)
    if isinstance(cookies, Mapping):  # Django's SimpleCookie
        return [morsel.OutputString() for morsel in cookies.values()]
    lines = getattr(answer, "set_cookies", cookies if cookies is not None else answer)
    if isinstance(lines, Iterable) and not isinstance(lines, str | bytes):
        return [str(line) for line in lines]
    raise TypeError(f"keep: expected a Lambda response, a framework's response or a Session, not {type(answer).__name__}")


def _lambda_lines(answer: Mapping[str, Any], form: EventForm | None) -> list[str]:
    single, many = _named(answer.get("headers")), _named(answer.get("multiValueHeaders"))
    if "statusCode" not in answer or (form is not None and form.startswith(("authorizer", "websocket"))):
        return []
    if form in ("http-v2", "function-url"):
        return [*_texts([answer.get("cookies")]), *(text for text in single if isinstance(text, str))]
    if form == "alb":
        return [text for text in single if isinstance(text, str)]
    if form == "alb-multi":
        return _texts(many)
    if form is None:
        return [*_texts([answer.get("cookies")]), *_texts(single), *_texts(many)]
    return _texts(many) or [text for text in single if isinstance(text, str)]


def _named(headers: object) -> list[Any]:
    """Every value under Set-Cookie, in any case."""
    return (
        [value for name, value in headers.items() if str(name).lower() == "set-cookie"] if isinstance(headers, Mapping) else []
    )


def _texts(values: Iterable[Any]) -> list[str]:
    lists = ([value] if isinstance(value, str) else value or [] for value in values)
    return [text for texts in lists for text in texts if isinstance(text, str)]
