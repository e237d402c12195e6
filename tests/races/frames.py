"""The state of a suspended flow as a value: where each of its generators stands, and what its variables hold.

Two histories that led to the same frames behave the same from here on, so the search need not follow both.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import FunctionType, GeneratorType, MappingProxyType, MethodType
from typing import Any

from cognito_session.core.crypto.access_token import AccessToken
from cognito_session.core.protocol.commit import Commit
from cognito_session.core.protocol.conditions import Change, WriteKind
from cognito_session.core.protocol.context import FlowContext
from cognito_session.core.protocol.devices import _Everyone
from cognito_session.core.protocol.generation import CookieGeneration
from cognito_session.core.protocol.record import SessionRecord
from cognito_session.core.protocol.refresh import RefreshAttempt
from cognito_session.core.protocol.resolve import Resolution
from cognito_session.core.protocol.session import Reason
from cognito_session.core.protocol.session_creation import _Creation


def frame_key(flow: Any) -> tuple[Any, ...]:
    """The frames of a generator and of those it delegates to."""
    found = []
    while isinstance(flow, GeneratorType):
        frame = flow.gi_frame
        found.append((flow.gi_code.co_name, frame.f_lasti, tuple((k, as_value(v)) for k, v in frame.f_locals.items())))
        flow = flow.gi_yieldfrom
    return tuple(found)


def as_value(value: Any) -> Any:
    """Anything a flow's variable may hold, as something hashable."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is SessionRecord:
        return tuple(value)
    if kind is AccessToken:
        return value.text
    if kind is FlowContext:
        return "case"
    if kind in _OBJECTS:
        return tuple(as_value(getattr(value, name)) for name in kind.__slots__ if name != "case")
    if kind is Change:
        return (value.kind, as_value(value.put))
    if kind is dict or kind is MappingProxyType:
        return tuple(sorted((name, as_value(item)) for name, item in value.items()))
    if isinstance(value, tuple | list):
        return tuple(as_value(item) for item in value)
    if kind is MethodType:
        return (value.__name__, as_value(value.__self__))
    if kind is FunctionType:
        return (value.__qualname__, *(as_value(cell.cell_contents) for cell in value.__closure__ or ()))
    if kind is set:
        return frozenset(value)
    if isinstance(value, BaseException):
        return (kind.__name__, str(value))
    if is_dataclass(value):
        return (kind.__name__, *(as_value(getattr(value, f.name)) for f in fields(value)))
    return kind.__name__


_OBJECTS = {Resolution, RefreshAttempt, Commit, _Creation, _Everyone}
_PLAIN = {type(None), str, int, float, bool, frozenset, Reason, WriteKind, CookieGeneration}
