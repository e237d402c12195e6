"""What a caller or the environment gave, checked at once: an error names what it is, what was expected and what came.

Of what came only the type is named, since it may be a secret. White space around a setting is never part of it: one rule for
every setting, keyword, variable or member of a stored secret.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Any, Final

from cognito_session.core.errors import ConfigurationError

__all__ = [
    "check_boolean",
    "check_choice",
    "check_cookie_header",
    "check_function",
    "check_guards",
    "check_kind",
    "check_names",
    "check_no_coroutine",
    "check_seconds",
    "check_text",
    "malformed",
    "no_keyword",
    "setting",
    "trimmed",
    "unexpected",
]

_HEADER: Final = "the Cookie header, a text or a list of them"


def trimmed(value: object, name: str) -> str | None:
    """A setting's text without white space around it; None where nothing is left. Raises ConfigurationError.

    A character in it that cannot be seen (a line end, a zero-width space) came from copying and would never be found.
    """
    if value is None:
        return None
    text = check_text(name, value).strip()
    if not text.isprintable():
        raise ConfigurationError(f"{name}: expected printable characters, found a control or invisible character in it")
    return text or None


def setting(environ: Mapping[str, str], name: str) -> str | None:
    """A variable of the environment, trimmed; None where it is unset or empty. Raises ConfigurationError."""
    return trimmed(environ.get(name), name)


def check_text(name: str, value: object) -> str:
    """`value`, a text."""
    if not isinstance(value, str):
        raise unexpected(name, "a text", value)
    return value


def check_boolean(name: str, value: object) -> bool:
    """`value`, True or False and nothing that counts as one: "false" would be true."""
    if not isinstance(value, bool):
        raise unexpected(name, "True or False", value)
    return value


def check_choice(name: str, value: object, words: Sequence[str]) -> str:
    """`value`, one of `words`."""
    if not isinstance(value, str) or value not in words:
        raise malformed(name, f"one of {', '.join(map(repr, words))}", value)
    return value


def check_seconds(name: str, value: object) -> float:
    """`value`, a number of seconds from 0 on: an int or a float, no text, no bool, no NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise unexpected(name, "a number of seconds, 0 or more", value)
    return value


def check_names(name: str, value: object) -> tuple[str, ...]:
    """`value`, a list, tuple, set or other collection of texts, as a tuple. One text is none, nor what can be read only once:
    a guard that is asked again would find it empty and let everybody through.
    """
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Collection):
        raise unexpected(name, 'a list of names, like ["a", "b"]', value)
    found = tuple(value)
    for each in found:
        if not isinstance(each, str):
            raise unexpected(name, "a list of names", each, " in it")
    return found


def check_guards(*, any_group: object = None, all_groups: object = (), scopes: object = (), max_age: object = None) -> None:
    """The guards of Session.require. An adapter checks them where the application is set up, not at the first request."""
    for name, wanted in (("any_group", any_group), ("all_groups", all_groups), ("scopes", scopes)):
        if name != "any_group" or wanted is not None:
            check_names(f"require: {name}", wanted)
    if max_age is not None:
        check_seconds("require: max_age", max_age)


def check_function(name: str, value: object) -> Any:
    """`value`, a plain function: the result of a coroutine function would not be awaited."""
    from inspect import iscoroutinefunction

    if not callable(value) or iscoroutinefunction(value) or iscoroutinefunction(getattr(value, "__call__", None)):  # noqa: B004 - the method itself is asked
        raise unexpected(name, "a function that is not async", value)
    return value


def check_kind(name: str, value: object, kind: type[Any] | tuple[type[Any], ...], expected: str) -> Any:
    """`value`, an instance of `kind`."""
    if not isinstance(value, kind):
        raise unexpected(name, expected, value)
    return value


def check_cookie_header(value: object, name: str = "cookie_header") -> None:
    """`value` is what a request's Cookie header is given as: a text, a list or tuple of texts, or None."""
    if value is None or isinstance(value, str):
        return
    if isinstance(value, Mapping) or not isinstance(value, list | tuple):
        hint = "; for a Lambda event use session() or protect" if isinstance(value, Mapping) else ""
        raise unexpected(name, _HEADER, value, hint)
    for each in value:
        if not isinstance(each, str):
            raise unexpected(name, _HEADER, each, " in it")


def check_no_coroutine(name: str, value: object) -> None:
    """`value` is not something that should have been awaited."""
    # A proxy such as `flask.request` has every special method. Its `__class__` is that of the object behind it.
    if isinstance(value, Awaitable) and issubclass(value.__class__, Awaitable):
        raise unexpected(name, "a value", value)


def unexpected(name: str, expected: str, value: object, hint: str = "") -> ConfigurationError:
    """The error to raise: the parameter, what it expects, and of what came the type alone."""
    if isinstance(value, Awaitable):
        hint = "; await it first"
        close = getattr(value, "close", None)
        if callable(close):
            close()  # else Python warns, somewhere else, that it was never awaited
    return ConfigurationError(f"{name}: expected {expected}, not {_kind_of(value)}{hint}")


def malformed(name: str, expected: str, value: object) -> ConfigurationError:
    """`unexpected` for a text of a certain form. Another text is said to be one: its type is the expected one."""
    if isinstance(value, str) and value:
        return ConfigurationError(f"{name}: expected {expected}, not another text")
    return unexpected(name, expected, value)


def no_keyword(owner: str, name: str, known: Collection[str]) -> TypeError:
    """The error for a keyword that `owner` does not take, with the nearest one that it takes."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    return TypeError(f"{owner} has no keyword {name!r}" + (f": did you mean {near[0]!r}?" if near else ""))


def _kind_of(value: object) -> str:
    """The type, or what is wrong with a value of the right type."""
    if value == "" and isinstance(value, str):
        return "an empty text"
    if isinstance(value, int | float) and not 0 <= value < math.inf:
        return "a negative number" if value < 0 else "infinity or NaN"
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
