"""Writes whose failure changes no answer: a lease given back, a mark of use, an idle end moved along.

An outage costs such a write a wait and nothing else. Any other failure is reported, because only the operator can end it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.errors import ConfigurationError, SessionError, StoreUnavailable
from cognito_session.core.protocol.steps import Flow, Report, Write, ask

if TYPE_CHECKING:
    from cognito_session.core.protocol.conditions import Change, Written

__all__ = ["reason_of", "report_failure", "write_quietly"]


def write_quietly(change: Change, sid: str | None) -> Flow[Written | None]:
    """Write once; the request goes on whatever comes of it. None where it is not known whether the write was applied."""
    try:
        return (yield from ask(Write(change)))
    except StoreUnavailable:
        return None
    except Exception as error:  # noqa: BLE001 - reported; it must not change the outcome of a request
        yield from report_failure(error, change.key.sub, sid, change.move.value)
        return None


def report_failure(error: Exception, sub: str, sid: str | None, what: str) -> Flow[None]:
    """Tell the operator of a failure that the user does not notice.

    `what` names the write. The text of an error that is not the library's own is left out: it may quote a secret.
    """
    event = "misconfigured" if isinstance(error, ConfigurationError) else "write_failed"
    detail = str(error) if isinstance(error, SessionError) else type(error).__name__
    yield from ask(Report(event, sub, sid, f"{what}: {detail}"))


def reason_of(error: Exception) -> str:
    """The reason of an error of the library's own, the kind of any other: its text may quote a secret."""
    return error.reason if isinstance(error, SessionError) else type(error).__name__
