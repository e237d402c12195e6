"""A response in the form that the event's service expects, with every Set-Cookie value.

Each form loses cookies in its own way:
- payload 2.0 joins what is in `headers`: cookies go into `cookies`;
- payload 1.0 sends one value of `headers` and all of `multiValueHeaders`, of a name in both only the latter, and a REST API
  answers 502 to fields that it does not know, `cookies` among them;
- a load balancer reads `multiValueHeaders` alone where the target group has them enabled, else `headers` alone;
- a WebSocket API passes on no header of a handshake's response but Sec-WebSocket-Protocol: it cannot set cookies
  (https://repost.aws/questions/QUbewEWvRiSr62tfjwg0ENGQ).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol.session import Session
from cognito_session.http.response import complete, overrules_cache_control
from cognito_session.web.aws_lambda.event import Form

if TYPE_CHECKING:
    from cognito_session.http.response import Response

__all__ = ["answer", "cookies_in", "respond", "set_cookie_spellings", "with_session_headers"]

Many = dict[str, list[Any]]

_SET_COOKIE: Final = "set-cookie"


def respond(form: Form, response: Response) -> dict[str, Any]:
    """A Response of ours in the event's form."""
    made = {"statusCode": response.status, "headers": dict(response.headers), "body": response.body}
    return with_session_headers(form, made, response.cookies)


def answer(form: Form, status: int, body: Any, headers: Mapping[str, str], cookies: Sequence[str]) -> dict[str, Any]:
    """A JSON answer in the event's form, with every Set-Cookie value in it."""
    text = body if isinstance(body, str) else json.dumps(body, default=_facts)
    response = {"statusCode": status, "headers": {"Content-Type": "application/json", **headers}, "body": text}
    return with_session_headers(form, response, cookies)


def with_session_headers(form: Form, response: Any, cookies: Sequence[str]) -> dict[str, Any]:
    """A handler's answer plus cookies, `Cache-Control: no-store` and `Vary: Cookie` (RFC 9111 5.2.2.5, RFC 9110 12.5.5).

    What the handler said of caching stays where it is at least as strict (`private`, `no-store`) and no cookie is set.
    Cookies of its own are kept, also those that it put where this form loses them. Body and encoding stay untouched. Raises
    ConfigurationError for an answer that no gateway could read either.
    """
    whole = _with_status(response)
    if form in (Form.CONNECT, Form.MESSAGE):
        return whole
    present = cookies_in(whole)
    headers = dict(_map(whole, "headers"))
    many: Many = {name: _list(values) for name, values in _map(whole, "multiValueHeaders").items()}
    whole.pop("cookies", None)
    _drop(headers, many, _SET_COOKIE)
    needed = complete([*_pairs(headers, many), *(("Set-Cookie", line) for line in present)], cookies)
    for name in [name for name in (*headers, *many) if overrules_cache_control(name)]:
        _drop(headers, many, name.lower())
    _replace(headers, many, "Cache-Control", needed.cache_control)
    _replace(headers, many, "Vary", needed.vary)
    return whole | _SPELLED[form](headers, many, [*present, *needed.cookies]) | _load_balancer_s_own(form, whole)


def cookies_in(response: Any) -> list[str]:
    """The Set-Cookie values that a handler's answer already has, wherever it put them. Without statusCode it is all body."""
    if not isinstance(response, Mapping) or "statusCode" not in response:
        return []
    found = [text for text in _list(response.get("cookies") or ()) if isinstance(text, str)]
    for source in (response.get("headers"), response.get("multiValueHeaders")):
        if isinstance(source, Mapping):
            values = [value for name, value in source.items() if str(name).lower() == _SET_COOKIE]
            found += [text for value in values for text in _list(value) if isinstance(text, str)]
    return found


def set_cookie_spellings() -> Iterator[str]:
    """Set-Cookie in each of its 512 spellings, the usual one first.

    A load balancer without multi-value headers takes one value a name, but tells names apart by their case, which browsers
    do not: the known way to send several cookies through it (https://github.com/logandk/serverless-wsgi/issues/11,
    https://github.com/Kludex/mangum/pull/186).
    """
    letters = [(letter, letter.swapcase()) if letter.isalpha() else (letter,) for letter in "Set-Cookie"]
    return ("".join(spelling) for spelling in product(*letters))


def _payload_2(headers: dict[str, Any], many: Many, lines: list[str]) -> dict[str, Any]:
    kept = {"multiValueHeaders": many} if many else {}
    return {"headers": headers, **kept, **({"cookies": lines} if lines else {})}


def _payload_1(headers: dict[str, Any], many: Many, lines: list[str]) -> dict[str, Any]:
    many = many | ({"Set-Cookie": list(lines)} if lines else {})
    return {"headers": headers, **({"multiValueHeaders": many} if many else {})}


def _load_balancer(headers: dict[str, Any], many: Many, lines: list[str]) -> dict[str, Any]:
    joined = {name: ", ".join(values) for name, values in _merged(headers, many).items()}
    return {"headers": joined | dict(zip(set_cookie_spellings(), lines, strict=False))}


def _load_balancer_multi(headers: dict[str, Any], many: Many, lines: list[str]) -> dict[str, Any]:
    return {"multiValueHeaders": _merged(headers, many) | ({"Set-Cookie": list(lines)} if lines else {})}


_SPELLED: Final = {
    Form.V1: _payload_1,
    Form.V2: _payload_2,
    Form.ALB: _load_balancer,
    Form.ALB_MULTI: _load_balancer_multi,
}


def _load_balancer_s_own(form: Form, whole: Mapping[str, Any]) -> dict[str, Any]:
    """A load balancer wants to be told the encoding and the status line's words as well."""
    if form not in (Form.ALB, Form.ALB_MULTI):
        return {}
    own = {"isBase64Encoded": False, "statusDescription": _description(whole["statusCode"])}
    return own | {name: whole[name] for name in own if whole.get(name) is not None}


def _description(status: Any) -> str:
    from http import HTTPStatus

    try:
        code = int(status)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigurationError("the function's answer: expected a whole number as statusCode") from error
    return f"{code} {next((known.phrase for known in HTTPStatus if known == code), '')}"


def _with_status(response: Any) -> dict[str, Any]:
    """API Gateway infers status 200 and JSON for an answer without statusCode; with cookies to add, so must we."""
    if isinstance(response, Mapping) and "statusCode" in response:
        return dict(response)
    body = response if isinstance(response, str) else json.dumps(response, default=_facts)
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": body}


def _facts(value: Any) -> dict[str, Any]:
    """A Session within an answer: its facts, and never its tokens."""
    if isinstance(value, Session):
        return value.facts()
    raise TypeError(f"the function's answer: expected JSON types or a Session, not {type(value).__name__}")


def _map(whole: dict[str, Any], name: str) -> Mapping[str, Any]:
    """One of the answer's maps of headers, taken out of it."""
    found = whole.pop(name, None) or {}
    if not isinstance(found, Mapping):
        raise ConfigurationError(f"the function's answer: expected {name} to be a map of headers, not {type(found).__name__}")
    return found


def _merged(headers: Mapping[str, Any], many: Many) -> dict[str, list[str]]:
    """Both maps as texts in lists; a name in both has the list's values, as in payload 1.0."""
    listed = {name.lower() for name in many}
    both = many | {name: [value] for name, value in headers.items() if name.lower() not in listed}
    return {name: [_plain(value) for value in values if value is not None] for name, values in both.items() if values != [None]}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _list(values: Any) -> list[Any]:
    return [values] if isinstance(values, str) or not isinstance(values, Sequence) else list(values)


def _pairs(headers: Mapping[str, Any], many: Many) -> list[tuple[str, str]]:
    """Both maps as pairs, those of `headers` first."""
    pairs = [(name, str(value)) for name, value in headers.items()]
    return pairs + [(name, str(value)) for name, values in many.items() for value in values]


def _replace(headers: dict[str, Any], many: Many, name: str, value: str) -> None:
    if ", ".join(said for found, said in _pairs(headers, many) if found.lower() == name.lower()) != value:
        _drop(headers, many, name.lower())
        headers[name] = value


def _drop(headers: dict[str, Any], many: Many, wanted: str) -> None:
    for mapping in (headers, many):
        for name in [name for name in mapping if name.lower() == wanted]:
            del mapping[name]
