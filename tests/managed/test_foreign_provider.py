"""An identity provider of the application that raises an error that is not the library's: the session ends all the same."""

from __future__ import annotations

import pytest

from cognito_session import Rejected
from managed.scene import Reports, sealed
from support.stack import cookie_of

QUOTED = "quotes-a-token"


class Failing:
    """The real provider, except that what takes tokens away raises."""

    def __init__(self, provider):
        self._provider = provider

    def __getattr__(self, name):
        if name in ("revoke", "global_sign_out", "forget_device", "confirm_device"):
            return self._fail
        return getattr(self._provider, name)

    def _fail(self, *_):
        raise RuntimeError(QUOTED)


@pytest.fixture
def reports():
    return Reports()


@pytest.fixture
def manager(many, reports):
    """Its provider fails to revoke anything."""
    made = sealed(many, on_event=reports)
    made.ports = made.ports._replace(provider=Failing(made.ports.provider))
    return made


def sign_out(manager, cookie, me):
    assert len(manager.sign_out(cookie)) == 1


def revoke(manager, cookie, me):
    assert manager.revoke(me.sub, me.sid) is True


def revoke_all(manager, cookie, me):
    assert manager.revoke_all(me.sub) == 1


@pytest.mark.parametrize("end", [sign_out, revoke, revoke_all])
def test_the_session_ends(many, manager, reports, caplog, end):
    """The call answers as ever, the session is over, and the failure is reported by its kind, without its text."""
    me = manager.establish(many.sign_in(many.user()))
    cookie = cookie_of(me)
    end(manager, cookie, me)
    assert manager.resolve(cookie) == Rejected("session_ended")
    (report,) = reports.named("revoke_failed")
    assert report.detail == "RuntimeError: kept sealed, to be revoked by the next worker that can"
    details = [each.detail for each in reports.named("global_sign_out_failed")]
    assert details == (["RuntimeError"] if end is revoke_all else [])
    assert QUOTED not in caplog.text


def test_what_was_kept_is_revoked_later(many, manager):
    """The token that could not be revoked is revoked by the next worker that can."""
    user = many.user()
    tokens = many.sign_in(user)
    manager.sign_out(cookie_of(manager.establish(tokens)))
    many.stack.advance(5)
    sealed(many).establish(many.sign_in(user))
    with pytest.raises(Exception, match="revoked"):
        many.stack.refresh(many.pool, tokens["RefreshToken"])


def test_a_sign_in_lands_where_an_old_token_cannot_be_revoked(many, manager):
    """Tokens kept from before stay kept, and the new session is served."""
    user = many.user()
    manager.sign_out(cookie_of(manager.establish(many.sign_in(user))))
    many.stack.advance(5)
    assert manager.resolve(cookie_of(manager.establish(many.sign_in(user)))).session.sub == user.sub
