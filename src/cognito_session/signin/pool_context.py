"""PoolContext: where signing in without redirect is done: one manager's settings, its user pool, and how a call is put.

A flow asks for outside calls by `call`; the app client's id is added here, SECRET_HASH by the user pool, over the user name
that a payload holds: which one that is, is the caller's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.core.errors import ProviderUnavailable
from cognito_session.core.protocol.steps import Call, Flow, Sleep, ask
from cognito_session.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.ports import PoolRefusal, UserPool

__all__ = ["Answer", "PoolContext"]

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
        return (yield from ask(Call(lambda: pool.call(operation, payload))))

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
