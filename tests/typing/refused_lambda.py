"""A Lambda author's mistakes: each marked line must be refused, and no other."""

from __future__ import annotations

from typing import Any

import cognito_session
from cognito_session import Active, Csrf, Rejected, Report, Session, SessionManager, SessionPolicy, current_session, session

sessions = SessionManager.from_env()
print(cognito_session.SesionManager)  # refused


def hook(event: Report) -> None:
    """Reads what an event does not have."""
    print(event.token)  # refused


SessionManager.from_env(on_event=lambda: None)  # refused

SessionManager.from_env(cookie_nam="__Host-x")  # refused
SessionManager.from_env(cookie="sealde")  # refused
SessionManager.from_env(policy={"idle_seconds": 60})  # refused
SessionManager.from_env(client_id=7)  # refused
SessionPolicy(60)  # refused
SessionPolicy(idle_second=60)  # refused
SessionPolicy(on_reuse="ignore")  # refused
SessionPolicy(idle_seconds="600")  # refused
Csrf(trusted_origin=["https://x.example"])  # refused
Csrf(exempt=5)  # refused


@sessions.protect  # refused
def without_a_session(_event: dict[str, Any], _context: Any) -> Any:
    """Called with three arguments."""
    return None


@sessions.protect(optional=True)  # refused
def takes_no_none(_event: Any, _context: Any, me: Session) -> str:
    """With `optional` there may be nobody."""
    return me.sub


@sessions.protect(optional=True)
def unchecked(_event: Any, _context: Any, me: Session | None) -> str:
    """The session is used without a look whether there is one."""
    return me.sub  # refused


@sessions.protect
def handler(_event: Any, _context: Any, me: Session) -> str:
    """Uses what a session does not have."""
    me.sub = "somebody else"  # refused
    print(me.email)  # refused
    print(me.set_cookies[0].name)  # refused
    me.require(any_groups=["admin"])  # refused
    me.require(max_age="300")  # refused
    me.claims["sub"] = "somebody else"  # refused
    return me.sub + me.auth_time  # refused


handler({}, None, None)  # refused
handler.aio({}, None)  # refused
sessions.protect(handler, option=True)  # refused


def outcomes(header: str) -> str:
    """A denial has no session, and an outcome may be one."""
    outcome = sessions.resolve(header)
    print(outcome.session)  # refused
    if isinstance(outcome, Rejected):
        return outcome.session.sub  # refused
    print(outcome.reason)  # refused
    match outcome:
        case Active(session=me):
            return me.cognito["AuthenticationResult"]  # refused


def unmatched(header: str) -> str:  # refused
    """One outcome is forgotten."""
    match sessions.resolve(header):  # refused by pyright
        case Active(session=me):
            return me.sub


def calls(event: dict[str, Any]) -> None:
    """Wrong arguments, and a session that may be none."""
    session(event, "token")  # refused
    sessions.resolve(7)  # refused
    sessions.resolve("a=b", remaining_second=3)  # refused
    sessions.revoke("sub")  # refused
    print(current_session().sub)  # refused
    print(sessions.sign_out("a=b").value)  # refused
    print(sessions.sessions_of("sub")[0].token)  # refused
    print(sessions.authorizer(any_group=["admin"])({}, None).principal)  # refused


async def waits() -> None:
    """The synchronous manager is not awaited."""
    await sessions.resolve("a=b")  # refused
