"""reported(): a sign-in flow whose refusals of a password or a code become events.

The event has the flow's name and the reason, and never what was typed: people type passwords into the wrong field.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from cognito_session.core.protocol.session import Session
from cognito_session.core.protocol.steps import Flow, Report, ask
from cognito_session.signin.outcome import Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["reported"]

P = ParamSpec("P")
T = TypeVar("T")

_EVENTS: Final = {
    Refusal.WRONG_CREDENTIALS: "credentials_refused",
    Refusal.WRONG_CODE: "code_refused",
    Refusal.EXPIRED_CODE: "code_refused",
    Refusal.TOO_MANY_ATTEMPTS: "too_many_attempts",
    Refusal.STALE_SIGN_IN: "access_denied",
}


def reported(flow: Callable[P, Flow[T]]) -> Callable[P, Flow[T]]:
    """The same flow; a refused password or code is reported, with the user where a session was given."""

    @functools.wraps(flow)
    def reporting(*arguments: P.args, **keywords: P.kwargs) -> Flow[T]:
        outcome = yield from flow(*arguments, **keywords)
        event = _EVENTS.get(outcome.reason) if isinstance(outcome, Refused) else None
        if event is not None and isinstance(outcome, Refused):
            me: Any = next((each for each in arguments if isinstance(each, Session)), None)
            sub, sid = ("", None) if me is None else (me.sub, me.sid)
            yield from ask(Report(event, sub, sid, f"{flow.__name__}: {outcome.reason}", limited=True))
        return outcome

    return reporting
