"""HTML that escapes by default: a text becomes part of a page as text unless it was made here as HTML.

    html('<p class="{kind}">{name}</p>', kind="hint", name=me.username)

Templates are literals of ours and never come from a request. Values: Html stands as it is, a list of them is joined, None
and False leave nothing, anything else is shown as text, quotes escaped, so that it fits into an attribute too.
"""

from collections.abc import Iterable, Mapping
from html import escape
from string import Formatter
from typing import Any, Final, cast

__all__ = ["Html", "html", "joined"]


class Html(str):
    """Text that is HTML already. Only `html` and `joined` make it."""

    __slots__ = ()


class _Escaping(Formatter):
    """`str.format` whose values are escaped. Neither positions nor format specifications are of use in a page."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec:
            raise ValueError("a template takes no format specification: format the value before")
        return _shown(value)

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:  # noqa: ARG002 - Formatter's signature
        if not isinstance(key, str):
            raise TypeError("a template takes named values only")
        return kwargs[key]


_ESCAPING: Final = _Escaping()


def html(template: str, /, **values: object) -> Html:
    """The template with its values. Raises KeyError for one that is missing."""
    return Html(_ESCAPING.vformat(template, (), values))


def joined(parts: Iterable[object], between: str = "") -> Html:
    """The parts one after the other, each shown as `html` shows it; `between` is HTML of ours."""
    return Html(between.join(_shown(part) for part in parts))


def _shown(value: object) -> str:
    if value is None or value is False:
        return ""
    if isinstance(value, Html):
        return value
    if type(value) in (list, tuple):
        return joined(cast("Iterable[object]", value))
    return escape(str(value))
