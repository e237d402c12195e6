"""PoolContext: where signing in without redirect is done: one manager's settings, its user pool, and how a call is put.

A flow asks for outside calls by `call`; the app client's id is added here, SECRET_HASH by the user pool, over the user name
that a payload holds: which one that is, is the caller's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from cognito_session.core.errors import ProviderUnavailable
from cognito_session.core.protocol.steps import Flow, Invoke, Sleep, ask
from cognito_session.core.secret import Secret
from cognito_session.signin.outcome import TotpSecret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.ports import PoolRefusal, UserPool

__all__ = ["Answer", "PoolContext", "otpauth_uri"]

_PAUSE_SECONDS: Final = 0.3

Answer = dict[str, Any]


class PoolContext(NamedTuple):
    """`issuer` is how authenticator apps name this site."""

    context: FlowContext
    pool: UserPool
    issuer: str

    def call(self, operation: str, payload: Mapping[str, Any]) -> Flow[Answer | PoolRefusal]:
        """One call. Raises ProviderUnavailable and ConfigurationError."""
        pool = self.pool
        return (yield from ask(Invoke(lambda: pool.call(operation, payload))))

    def call_on(self, operation: str, payload: Mapping[str, Any]) -> Flow[Answer | PoolRefusal]:
        """One call within a step whose beginning Cognito has taken already, so that going back would cost the user more:
        where it was certainly not done, it is tried once more.
        """
        try:
            return (yield from self.call(operation, payload))
        except ProviderUnavailable as error:
            if error.sent is None:
                raise
        yield from ask(Sleep(_PAUSE_SECONDS))
        return (yield from self.call(operation, payload))

    def of_user(self, username: str, **more: Any) -> dict[str, Any]:
        """The payload of SignUp and its kind."""
        return {"ClientId": self.pool.client_id, "Username": username, **more}

    def parameters(self, username: str, **more: Any) -> dict[str, Any]:
        """AuthParameters or ChallengeResponses."""
        return {"USERNAME": username, **more}

    def initiate(self, auth_flow: str, username: str, **more: Any) -> dict[str, Any]:
        """The payload of InitiateAuth."""
        return {"ClientId": self.pool.client_id, "AuthFlow": auth_flow, "AuthParameters": self.parameters(username, **more)}

    def respond(self, challenge: str, session: str, responses: Mapping[str, Any]) -> dict[str, Any]:
        """The payload of RespondToAuthChallenge."""
        named = {"ClientId": self.pool.client_id, "ChallengeName": challenge, "Session": Secret(session)}
        return {**named, "ChallengeResponses": dict(responses)}

    def totp_secret(self, answer: Answer, account: str) -> TotpSecret:
        """The secret of an AssociateSoftwareToken response, for the user's authenticator app. Raises ProviderUnavailable."""
        secret = answer.get("SecretCode")
        if not isinstance(secret, str) or not secret:
            raise ProviderUnavailable("Cognito: AssociateSoftwareToken answered without a SecretCode", sent=True)
        return TotpSecret(secret, otpauth_uri(secret, issuer=self.issuer, account=account))


def otpauth_uri(secret: str, *, issuer: str, account: str) -> str:
    """The URI that a QR code shows to an authenticator app (TOTP, RFC 6238).

    A colon separates issuer and account, so colons in either are replaced.
    https://github.com/google/google-authenticator/wiki/Key-Uri-Format
    """
    site, user = (quote(text.replace(":", " ").strip(), safe="") for text in (issuer, account))
    return f"otpauth://totp/{site}:{user}?secret={quote(secret.rstrip('='), safe='')}&issuer={site}"
