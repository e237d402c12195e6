"""The state of a suspended flow as a value: where each of its generators stands, and what its variables hold.

Two histories that led to the same frames behave the same from here on, so the search need not follow both.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import GeneratorType, MappingProxyType
from typing import Any

from cognito_session.core.case import Case
from cognito_session.core.change import Change, Written
from cognito_session.core.flow import Resolution
from cognito_session.core.renewal import Renewal


def frame_key(flow: Any) -> tuple[Any, ...]:
    """The frames of a generator and of those it delegates to."""
    found = []
    while isinstance(flow, GeneratorType):
        frame = flow.gi_frame
        found.append((flow.gi_code.co_name, frame.f_lasti, tuple((k, _value(v)) for k, v in frame.f_locals.items())))
        flow = flow.gi_yieldfrom
    return tuple(found)


def _value(value: Any) -> Any:
    match value:
        case None | str() | int() | float() | frozenset():
            return value
        case Case():
            return "case"
        case Resolution() | Renewal():
            return tuple(_value(getattr(value, name)) for name in type(value).__slots__ if name != "case")
        case Change():
            return (value.move, _value(value.put))
        case Written():
            return (value.applied, _value(value.found))
        case dict() | MappingProxyType():
            return tuple(sorted((name, _value(item)) for name, item in value.items()))
        case tuple() | list():
            return tuple(_value(item) for item in value)
        case BaseException():
            return (type(value).__name__, str(value))
    if is_dataclass(value):
        return (type(value).__name__, *(_value(getattr(value, f.name)) for f in fields(value) if f.compare))
    return type(value).__name__
