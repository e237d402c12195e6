"""Tests that users of the kit write, and a store that somebody writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cognito_session import AsyncSessionManager, Session, SessionManager
from cognito_session.store import Change, Row, SessionKey, SessionStore, Written
from cognito_session.testing import FORMS, Call, Cognito, EventForm, ManualClock, MemoryStore, Run, StoreContract
from cognito_session.web.aws_lambda.websocket import connected_session

sessions = SessionManager.from_env()


@sessions.protect
def handler(_event: Mapping[str, Any], _context: Any, me: Session) -> dict[str, Any]:
    """What is tested."""
    return {"statusCode": 200, "body": me.sub}


def test_handler(cognito: Cognito) -> None:
    """The first test."""
    attached: SessionManager = cognito.attach(sessions)
    event = cognito.event("http-v2", groups=["admin"], method="POST", body={"a": 1}, cookies={"theme": "dark"})
    assert handler(event, cognito.context)["statusCode"] == 200
    cognito.advance(3600)
    cognito.fail("dynamodb", times=1, only="GetItem")
    assert handler(event, cognito.context_with(3))["statusCode"] == 503
    cognito.heal()
    assert attached.resolve(cognito.cookie_header)
    assert cognito.calls.reads + cognito.calls.writes < 7
    last: Call = cognito.calls[-1]
    assert last.operation == "GetItem"


def test_people(cognito: Cognito) -> None:
    """Users, sign-ins and what befalls them."""
    cognito.user("bob", groups=["staff"])
    browser = cognito.sign_in("bob")
    browser.keep({"statusCode": 200, "cookies": ["a=1"]})
    cognito.set_groups("bob", ["admin"])
    cognito.disable(browser)
    me: Session = cognito.session(groups=["admin"], claims={"custom:a": "b"})
    tokens: dict[str, Any] = cognito.tokens("bob")
    assert sessions.establish(tokens).sub
    assert me.groups == ("admin",)
    assert cognito.reports[0].event == "established"


@pytest.mark.parametrize("form", FORMS)
def test_forms(cognito: Cognito, form: EventForm) -> None:
    """Every kind of event."""
    cognito.attach(AsyncSessionManager.from_env())
    assert cognito.event(form, signed_in=False)


def test_races(cognito: Cognito) -> None:
    """Every order in which two requests can meet."""
    for run in cognito.interleavings(lambda: handler({}), lambda: handler({}), switches=None):
        order: str = run.order
        assert run.first == run.second, order
    played: Run = cognito.interleave(lambda: 1, lambda: 2, order="12")
    assert played.steps


def test_by_itself() -> None:
    """Without pytest's fixture."""
    with Cognito(ManualClock(1_700_000_000.0)) as kit:
        kit.attach(sessions)
        kit.clock.advance(1.5)


class OwnStore:
    """A store that somebody writes."""

    one_row_per_user = False

    def load(self, key: SessionKey) -> Row | None:
        """The row."""
        return {"sub": key.sub}

    def write(self, change: Change) -> Written:
        """Apply it."""
        return Written(applied=change.allowed_on(None), found=None)

    def write_all(self, changes: Sequence[Change]) -> bool:
        """Apply all."""
        return bool(changes)

    def rows_of(self, sub: str) -> list[Row]:
        """All rows."""
        return [{"sub": sub}]


class TestOwnStore(StoreContract):
    """The contract for it."""

    def make_store(self, request: pytest.FixtureRequest, *, one_row_per_user: bool) -> SessionStore:
        """A new one."""
        del request
        return MemoryStore(one_row_per_user=one_row_per_user) if one_row_per_user else OwnStore()


own = SessionManager.from_env(store=OwnStore(), clock=ManualClock())
print(connected_session)
