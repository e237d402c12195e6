"""Mistakes of whoever lets people sign in: each marked line must be refused, and no other."""

from __future__ import annotations

from typing import Any

from cognito_session import AsyncSessionManager, SessionManager, signin
from cognito_session.signin import ChallengeRequired, Established, Refused

sessions = SessionManager.from_env()
print(signin.Establised)  # refused
sessions.managed_login("https://app.example")  # refused
sessions.managed_login(callback="/back")  # refused
sessions.managed_login(scopes=7)  # refused
login = sessions.managed_login()
login.start({}, "/orders")  # refused
login.start({}, provider="Google")  # refused
login.sign_out({}, where="there")  # refused
flows = sessions.password_flows()
flows.sign_in("alice")  # refused
flows.sign_in("alice", 7)  # refused
flows.sign_in("alice", "x", "a=b")  # refused
flows.register("alice", "x", {"email": "x"})  # refused


def outcomes(header: str) -> Any:
    """Each outcome has only its own."""
    outcome = flows.sign_in("alice", "x", cookie_header=header)
    print(outcome.session)  # refused
    if isinstance(outcome, Refused):
        return outcome.session  # refused
    if isinstance(outcome, ChallengeRequired):
        return outcome.session  # refused
    print(outcome.prompt)  # refused
    return outcome.session.password  # refused


def forgotten(header: str) -> str:  # refused
    """One outcome is forgotten."""
    match flows.sign_in("alice", "x", cookie_header=header):  # refused by pyright
        case Established(session=me):
            return me.sub
        case Refused(reason=why):
            return why


def nobody(header: str) -> str:
    """No challenge may be waiting; a code may have gone nowhere."""
    print(flows.pending(header).name)  # refused
    return flows.resend("alice").destination.upper()  # refused


async def waits() -> None:
    """Nothing of it is awaited."""
    manager = AsyncSessionManager.from_env()
    print(manager.password_flows().sign_in("alice", "x").set_cookies)  # refused
    await sessions.password_flows().sign_in("alice", "x")  # refused
