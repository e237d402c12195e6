"""How a remembered device takes part in a sign-in: named in each call, and proved when Cognito asks for it.

Cognito asks DEVICE_SRP_AUTH and then DEVICE_PASSWORD_VERIFIER of a device that it remembers; no person is involved. A device
that Cognito has forgotten is left out and the sign-in goes on as that of a new device.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-device-tracking.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.crypto.srp import SECRET_BYTES, SrpExchange
from cognito_session.core.errors import ProviderUnavailable
from cognito_session.core.protocol.ports import PoolRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_session.core.protocol.device_cookie import KnownDevice
    from cognito_session.core.protocol.steps import Flow
    from cognito_session.signin.pool_context import Answer, PoolContext

__all__ = ["DEVICE_CHALLENGE", "call_on_device", "prove_device", "srp_timestamp"]

DEVICE_CHALLENGE: Final = "DEVICE_SRP_AUTH"
_VERIFIER: Final = "DEVICE_PASSWORD_VERIFIER"
_UNKNOWN_DEVICE: Final = frozenset({"ResourceNotFoundException", "InvalidParameterException"})
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def call_on_device(
    pool_context: PoolContext,
    operation: str,
    payload: Callable[[Mapping[str, str]], Mapping[str, Any]],
    known: KnownDevice | None,
) -> Flow[tuple[Answer | PoolRefusal, KnownDevice | None]]:
    """One call of a sign-in, and the device that it named. `payload` makes it from the parameters that name the device.

    Where Cognito does not know the device, the call is sent again without it.
    """
    if known is not None:
        answer = yield from pool_context.call(operation, payload({"DEVICE_KEY": known.secret.key}))
        if not _is_unknown_device(answer):
            return answer, known
    return (yield from pool_context.call(operation, payload({}))), None


def prove_device(pool_context: PoolContext, username: str, known: KnownDevice, asked: Answer) -> Flow[Answer | PoolRefusal]:
    """The answer to the device's proof. Raises ProviderUnavailable and ConfigurationError."""
    exchange = SrpExchange(int.from_bytes(pool_context.context.entropy(SECRET_BYTES), "big"))
    named = {"USERNAME": username, "DEVICE_KEY": known.secret.key}
    first = yield from pool_context.call_on(
        "RespondToAuthChallenge", _response(pool_context, DEVICE_CHALLENGE, asked, {**named, "SRP_A": exchange.public})
    )
    if isinstance(first, PoolRefusal):
        return first
    parameters = first.get("ChallengeParameters")
    if first.get("ChallengeName") != _VERIFIER or not isinstance(parameters, dict):
        raise ProviderUnavailable(f"Cognito: expected {_VERIFIER} after {DEVICE_CHALLENGE}", sent=True)
    named["USERNAME"] = str(parameters.get("USERNAME") or username)
    proof = _proof(exchange, known, parameters, srp_timestamp(pool_context.context.clock.now()))
    return (
        yield from pool_context.call_on("RespondToAuthChallenge", _response(pool_context, _VERIFIER, first, {**named, **proof}))
    )


def _proof(exchange: SrpExchange, known: KnownDevice, parameters: Mapping[str, Any], timestamp: str) -> dict[str, str]:
    block = str(parameters.get("SECRET_BLOCK"))
    try:
        signature = exchange.signature(
            known.secret.identity,
            known.secret.password,
            salt=str(parameters.get("SALT")),
            server_public=str(parameters.get("SRP_B")),
            block=block,
            timestamp=timestamp,
        )
    except ValueError as error:
        raise ProviderUnavailable(f"Cognito: {_VERIFIER} with parameters that cannot be answered", sent=True) from error
    return {"PASSWORD_CLAIM_SIGNATURE": signature, "PASSWORD_CLAIM_SECRET_BLOCK": block, "TIMESTAMP": timestamp}


def _response(pool_context: PoolContext, challenge: str, asked: Answer, responses: Mapping[str, str]) -> dict[str, Any]:
    """With the Session where Cognito gave one: it gives none in a sign-in of a single step."""
    session = str(asked.get("Session") or "")
    payload = pool_context.respond(challenge, session, responses)
    if not session:
        del payload["Session"]
    return payload


def _is_unknown_device(answer: Answer | PoolRefusal) -> bool:
    return isinstance(answer, PoolRefusal) and answer.code in _UNKNOWN_DEVICE and "device" in answer.message.lower()


def srp_timestamp(now: float) -> str:
    """TIMESTAMP of a claim, in English whatever the locale: "Sun Jul 5 08:01:02 UTC 2026". `now`: epoch seconds."""
    at = datetime.fromtimestamp(now, UTC)
    return f"{_DAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at.day} {at:%H:%M:%S} UTC {at.year}"
