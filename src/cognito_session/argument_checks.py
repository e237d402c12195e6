"""checked(): a class whose public methods check what they are given, by the names of their parameters, before anything is done.

One table for the whole public face: a parameter of a name means the same everywhere. Text that a form may have sent is taken
as it comes, since forms send anything; only a coroutine that was not awaited is refused there.

Passwords, codes, tokens and cookies become a Secret here, and an error that leaves a method has no local variables below its
caller: what an error tracker shows of a traceback holds none of them.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cognito_session.core import checks as given
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.policy import CHANGES, SessionPolicy
from cognito_session.core.protocol.session import Session
from cognito_session.core.secret import Secret
from cognito_session.core.tracebacks import forget_locals
from cognito_session.engine import Engine
from cognito_session.http.csrf import Csrf

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CHECKS", "check_login_path", "check_manager", "checked"]

K = TypeVar("K")
_MOST_PROXIES: Final = 10
_COROUTINE: Final = 0x80
"""CO_COROUTINE; asking `inspect` would cost every cold start its import."""
_LOGIN_PATH: Final = re.compile(r"(?:(?:/(?![/\\])|https?://[0-9A-Za-z\[])[!-~]*)?")
"""A path of this site, the address of a page elsewhere, or nothing; in ASCII without spaces, as a Location header needs it."""
_METHODS: Final = {
    "store": ("load", "write", "write_all", "rows_of"),
    "provider": ("refresh", "revoke", "global_sign_out"),
    "keys": ("keys",),
    "clock": ("now", "monotonic"),
}

_OPERATIONS: Final = {"dynamodb": "get_item", "cognito-idp": "initiate_auth", "secretsmanager": "get_secret_value"}
"""The services that are called, and a method by which a client of each is known."""


def _optional(check: Callable[[str, Any], object]) -> Callable[[str, Any], object]:
    return lambda name, value: None if value is None else check(name, value)


def _identifier(name: str, value: object) -> None:
    wanted = "the user's sub" if name == "sub" else "a session's sid, like me.sid"
    if not isinstance(value, str) or not value:
        raise given.unexpected(name, f"{wanted}, a text", value)


def _remaining(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
        raise given.unexpected(name, "a number of seconds", value)


def _proxies(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_PROXIES:
        raise given.unexpected(name, f"how many proxies of your own are in front, 0 to {_MOST_PROXIES}", value)


def _callable(name: str, value: object) -> None:
    """A function of either kind: what calls it awaits where it must."""
    if not callable(value):
        raise given.unexpected(name, "a function", value)


def _part(name: str, value: object) -> None:
    """A port of the application's own: one method that is missing would be found by the first request that needs it."""
    missing = [method for method in _METHODS[name] if not callable(getattr(value, method, None))]
    if missing or isinstance(value, type):
        raise given.unexpected(name, f"an object with the methods {', '.join(_METHODS[name])}", value)


def _clients(name: str, value: Any) -> None:
    """A service of another name would silently get a client of our own, with the credentials of the environment."""
    given.check_kind(name, value, Mapping, "clients by service, a mapping")
    for service, client in value.items():
        operation = _OPERATIONS.get(service)
        if operation is None:
            raise ConfigurationError(f"{name}: expected {', '.join(_OPERATIONS)} as names of services, not another name")
        if isinstance(client, type) or not callable(getattr(client, operation, None)):
            raise given.unexpected(name, f'what boto3.client("{service}") returns as {service}', client)


def _boto3_session(name: str, value: Any) -> None:
    if isinstance(value, type) or not any(callable(getattr(value, make, None)) for make in ("client", "create_client")):
        raise given.unexpected(name, "a boto3.Session", value)


def check_login_path(name: str, value: Any) -> Any:
    """`value`, where a person without a session is sent: a path like /login, a whole address, or None."""
    if value is not None and not (isinstance(value, str) and _LOGIN_PATH.fullmatch(value)):
        raise given.malformed(name, "a path like /login, escaped as a browser sends it", value)
    return value


def _site_data(name: str, value: Any) -> None:
    """`value`, names of the header Clear-Site-Data (https://www.w3.org/TR/clear-site-data/)."""
    for each in given.check_names(name, value):
        given.check_choice(name, each, ("cache", "cookies", "storage"))


_TEXT: Final = _optional(given.check_text)
CHECKS: Final[Mapping[str, Callable[[str, Any], object]]] = {
    **dict.fromkeys(("sub", "sid"), _identifier),
    **dict.fromkeys(("keep", "current"), _optional(_identifier)),
    "cookie_header": lambda name, value: given.check_cookie_header(value, name),
    "me": lambda name, value: given.check_kind(name, value, Session, "the request's Session"),
    "remaining_seconds": _optional(_remaining),
    **dict.fromkeys(("extend", "optional", "simple", "sign_up", "remembered"), given.check_boolean),
    "sign_out_others": _optional(given.check_boolean),
    **dict.fromkeys(("all_groups", "scopes"), given.check_names),
    "any_group": _optional(given.check_names),
    "where": lambda name, value: given.check_choice(name, value, ("here", "elsewhere", "everywhere")),
    "same_site": lambda name, value: given.check_choice(name, value, ("Lax", "Strict", "None")),
    "websocket_api": given.check_boolean,
    "websocket_recheck_seconds": given.check_seconds,
    "what": lambda name, value: given.check_choice(name, value, CHANGES),
    "cookie": lambda name, value: given.check_choice(name, value, ("sealed", "token")),
    **dict.fromkeys(("callback_path", "after_sign_in", "after_sign_out"), given.check_text),
    **dict.fromkeys(("user_agent", "issuer", "base_url", "cookie_name"), _TEXT),
    "login_path": check_login_path,
    "clear_site_data": _site_data,
    **dict.fromkeys(("return_to", "identity_provider", "prompt", "language", "login_hint", "account_name", "preferred"), _TEXT),
    "policy": _optional(lambda name, value: given.check_kind(name, value, SessionPolicy, "a SessionPolicy")),
    "csrf": _optional(lambda name, value: given.check_kind(name, value, Csrf, "a Csrf")),
    "clients": _optional(_clients),
    "boto3_session": _optional(_boto3_session),
    **dict.fromkeys(("on_event", "keyring"), _optional(given.check_function)),
    "other_events": _optional(_callable),
    "trusted_proxies": _proxies,
    **dict.fromkeys(("store", "provider", "keys", "clock"), _optional(_part)),
    **dict.fromkeys(
        ("tokens", "data", "request", "username", "password", "code", "new_password", "response", "previous", "proposed"),
        given.check_no_coroutine,
    ),
    **dict.fromkeys(("attributes", "challenge", "credential"), given.check_no_coroutine),
}
"""What a public parameter of this name must be. Each raises ConfigurationError, which names it."""
SECRETS: Final = frozenset(
    {"cookie_header", "tokens", "password", "code", "new_password", "response", "previous", "proposed", "credential"}
)
"""Parameters that are given to the method as a Secret."""


def checked(kind: type[K]) -> type[K]:
    """The class, its construction and public methods checking their arguments. Defaults are not checked."""
    for name, member in list(vars(kind).items()):
        if isinstance(member, FunctionType) and (name == "__init__" or not name.startswith("_")):
            setattr(kind, name, _checking(member))
        elif isinstance(member, classmethod):
            setattr(kind, name, classmethod(_forgetting(member.__func__)))
    return kind


def _forgetting(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, whose errors have no local variables: settings hold keys and the app client's secret."""

    @functools.wraps(function)
    def forgetting(*arguments: Any, **keywords: Any) -> Any:
        handled = sys.exception()
        try:
            return function(*arguments, **keywords)
        except BaseException as error:
            del arguments, keywords
            forget_locals(error, handled)
            raise

    return forgetting


def _checking(function: FunctionType) -> Callable[..., Any]:
    code = function.__code__
    positional = code.co_varnames[1 : code.co_argcount]
    known = {*positional, *code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]} & CHECKS.keys()
    if not known:
        return function

    admit = _admission(positional, frozenset(known))

    if code.co_flags & _COROUTINE:

        @functools.wraps(function)
        async def checking(self: Any, *arguments: Any, **keywords: Any) -> Any:
            handled = sys.exception()
            try:
                arguments = admit(arguments, keywords)
                return await function(self, *arguments, **keywords)
            except BaseException as error:
                del arguments, keywords
                forget_locals(error, handled)
                raise

        return checking

    @functools.wraps(function)
    def checking_now(self: Any, *arguments: Any, **keywords: Any) -> Any:
        handled = sys.exception()
        try:
            arguments = admit(arguments, keywords)
            return function(self, *arguments, **keywords)
        except BaseException as error:
            del arguments, keywords
            forget_locals(error, handled)
            raise

    return checking_now


def _admission(positional: tuple[str, ...], known: frozenset[str]) -> Callable[..., tuple[Any, ...]]:
    """What checks a call's arguments and keywords, and returns the arguments; secrets are wrapped, in `keywords` in place."""
    table = {name: (name, CHECKS[name], name in SECRETS) for name in known}
    places = [table.get(name) for name in positional]

    def admit(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
        found = []
        for place, value in zip(places, arguments, strict=False):
            found.append(value if place is None else _admitted(*place, value))
        for name, value in keywords.items():
            if name in table:
                keywords[name] = _admitted(*table[name], value)
        return (*found, *arguments[len(places) :])

    return admit


def _admitted(name: str, check: Callable[[str, Any], object], hide: bool, value: Any) -> Any:
    if type(value) is Secret:  # another method of ours has checked it
        return value
    check(name, value)
    return Secret(value) if hide and value is not None else value


def check_manager(name: str, value: Any) -> Any:
    """`value`, a session manager that was made: not its class, nor something else that an adapter would find out late."""
    if not isinstance(getattr(value, "engine", None), Engine):
        raise given.unexpected(name, "a SessionManager or AsyncSessionManager", value)
    return value
