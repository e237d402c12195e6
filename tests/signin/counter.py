"""A site with its own sign-in pages, as far as a test needs one: a browser's jar in front of PasswordFlows.

Both kinds of manager are asked in the same way. `Watching` stands before the user pool and remembers every secret that
passes: Cognito's Session texts, what people typed, tokens.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.core.secret import Secret
from cognito_session.signin.outcome import ChallengeRequired, Established, Refusal, Refused
from managed.scene import ring, session_rows
from support.stack import PASSWORD

__all__ = ["CHALLENGE", "SESSION", "WRONG", "Counter", "Watching", "refused"]

SESSION = "__Host-session"
CHALLENGE = "__Host-session-challenge"
WRONG = Refused(Refusal.WRONG_CREDENTIALS)


def refused(reason: str) -> Refused:
    """The refusal of this reason, without cookies."""
    return Refused(Refusal(reason))


class Counter:
    """One person's browser before a site; `jar` holds its cookies, `lines` every Set-Cookie value it was sent."""

    def __init__(self, app, *, asynchronous: bool = False, issuer: str | None = "Shop", **keywords: Any) -> None:
        self.app = app
        self.jar: dict[str, str] = {}
        self.lines: list[str] = []
        settings = {"cookie": "sealed", "cookie_name": None, "session_keys": ring(1), **keywords}
        self.asynchronous = asynchronous
        self.manager = app.async_manager(**settings) if asynchronous else app.manager(**settings)
        self.flows = self.manager.password_flows(issuer=issuer)

    @property
    def cookies(self) -> str:
        """The Cookie header that the browser sends."""
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())

    def do(self, operation: str, *arguments: Any, **keywords: Any) -> Any:
        """One operation of the flows; its cookies are kept as a browser keeps them."""
        answer = getattr(self.flows, operation)(*arguments, **keywords)
        return self.keep(asyncio.run(answer) if self.asynchronous else answer)

    def keep(self, outcome: Any) -> Any:
        """Store the outcome's cookies."""
        for line in getattr(outcome, "set_cookies", ()):
            name, _, rest = line.partition("=")
            self.lines.append(line)
            self.jar.pop(name, None)
            if "Max-Age=0" not in line:
                self.jar[name] = rest.partition(";")[0]
        return outcome

    def sign_in(self, username: Any, password: Any = PASSWORD, **more: Any) -> Any:
        """The sign-in form."""
        return self.do("sign_in", username, password, cookie_header=self.cookies, **more)

    def start(self, username: Any, **more: Any) -> Any:
        """The form that asks for a name alone."""
        return self.do("start", username, cookie_header=self.cookies, **more)

    def answer(self, response: Any, **more: Any) -> Any:
        """The form of a challenge."""
        return self.do("answer", self.cookies, response, **more)

    def pending(self) -> Any:
        """The page of a challenge, loaded again."""
        return self.do("pending", self.cookies)

    def challenged(self, name: str, outcome: Any) -> Any:
        """The prompt of the challenge that this outcome must be."""
        assert isinstance(outcome, ChallengeRequired), outcome
        assert outcome.name == name
        assert list(self.jar)[-1] == CHALLENGE
        return outcome.prompt

    def arrived(self, outcome: Any, user: Any = None) -> Any:
        """The session that this outcome must have begun, with nothing left of the challenge, and served by its cookie."""
        assert isinstance(outcome, Established), outcome
        assert list(self.jar) == [SESSION]
        served = self.manager.resolve(self.cookies)
        served = asyncio.run(served) if self.asynchronous else served
        assert served.session.sid == outcome.session.sid
        assert user is None or outcome.session.sub == user.sub
        return outcome.session

    def nobody(self) -> None:
        """Nobody is signed in: no session's cookie, no row in the table."""
        assert SESSION not in self.jar
        assert session_rows(self.app) == []

    def calls(self) -> list[str]:
        """The operations that Cognito saw since the last look."""
        seen = [call.operation for call in self.app.stack.calls("cognito")]
        self.app.stack.clear_calls()
        return seen


class Watching:
    """A user pool that remembers what was secret in every call."""

    def __init__(self, pool) -> None:
        self._pool = pool
        self.client_id = pool.client_id
        self.secrets: set[str] = set()
        self.payloads: list[tuple[str, dict[str, Any]]] = []

    def call(self, operation: str, payload: Any) -> Any:
        sent = self._pool._proved(payload)
        self.payloads.append((operation, json.loads(json.dumps(sent, default=Secret.reveal))))
        self._note(sent)
        answer = self._pool.call(operation, payload)
        self._note({"message": answer.message} if isinstance(answer, PoolRefusal) else answer)
        return answer

    def _note(self, found: Any) -> None:
        for name, value in found.items():
            if isinstance(value, dict):
                self._note(value)
            elif name in _SECRET and isinstance(value, str):
                self.secrets.add(value)


_SECRET = {
    *("Session", "Password", "PASSWORD", "NEW_PASSWORD", "PreviousPassword", "ProposedPassword", "SecretCode", "UserCode"),
    *("ConfirmationCode", "SMS_MFA_CODE", "EMAIL_OTP_CODE", "SMS_OTP_CODE", "SOFTWARE_TOKEN_MFA_CODE", "CREDENTIAL"),
    *("AccessToken", "IdToken", "RefreshToken", "SECRET_HASH", "SecretHash", "message"),
}
