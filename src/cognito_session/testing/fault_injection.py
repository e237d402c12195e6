"""Fault injection: which service fails, how, for which calls, and how many of them.

It knows nothing about sessions: the instrumented ports ask it about each call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from cognito_session.core.protocol.conditions import WriteKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.testing.call_log import Call, Service

__all__ = ["FaultInjection", "FaultKind"]

FaultKind = Literal["fail", "throttle", "forbid", "lose_answer"]
"""fail: nothing is done. throttle: nothing is done, and the service reports too many requests. forbid: nothing is done, because
of a configuration error. lose_answer: the work is done and the response is lost.
"""


@dataclass(slots=True)
class _Plan:
    """One planned fault. `left`: the number of calls left, None for all."""

    kind: FaultKind
    service: Service
    only: str | None
    left: int | None

    def matches(self, call: Call) -> bool:
        return self.left != 0 and call.service == self.service and (self.only is None or call.is_called(self.only))


_OPERATIONS: Final = (
    *("AdminUserGlobalSignOut", "AssociateSoftwareToken", "ChangePassword", "CompleteWebAuthnRegistration", "ConfirmDevice"),
    *("ConfirmForgotPassword", "ConfirmSignUp", "ForgetDevice", "ForgotPassword", "GetTokensFromRefreshToken", "InitiateAuth"),
    *("ResendConfirmationCode", "RespondToAuthChallenge", "RevokeToken", "SetUserMFAPreference", "SignUp"),
    *("StartWebAuthnRegistration", "UpdateDeviceStatus", "VerifySoftwareToken"),
)
_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "dynamodb": frozenset({"read", "write", "GetItem", "Query", "PutItem", "UpdateItem", "TransactWriteItems"})
    | {kind.value for kind in WriteKind},
    "cognito": frozenset({"refresh", "revoke", "global sign-out", "confirm device", "forget device", "code", "/oauth2/token"})
    | frozenset(_OPERATIONS),
    "keys": frozenset({"jwks"}),
}
"""The values of `only`: each operation and purpose of a service's calls."""


class FaultInjection:
    """The planned faults. The oldest plan that matches a call applies to it."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []

    def add(self, kind: FaultKind, service: Service, *, only: str | None, times: int | None) -> None:
        """Plan a fault. `only` is an operation or a purpose (see Call). Raises ValueError."""
        if service not in ("dynamodb", "cognito", "keys"):
            raise ValueError(f'expected "dynamodb", "cognito" or "keys", not {service!r}')
        if only is not None and only not in _NAMES[service]:
            raise ValueError(f"only: expected one of {', '.join(sorted(_NAMES[service]))}, not {only!r}: no call would fail")
        if times is not None and times < 1:
            raise ValueError(f"times: expected 1 or more, or None for all calls, not {times}")
        self._plans.append(_Plan(kind, service, only, times))

    def take(self, call: Call) -> FaultKind | None:
        """The fault of this call, or None; a plan for a number of calls counts it."""
        for plan in self._plans:
            if plan.matches(call):
                if plan.left is not None:
                    plan.left -= 1
                return plan.kind
        return None

    def clear(self) -> None:
        """Remove every plan."""
        self._plans.clear()

    def copy(self) -> FaultInjection:
        """The same plans with their own counts."""
        made = FaultInjection()
        made._plans = [_Plan(plan.kind, plan.service, plan.only, plan.left) for plan in self._plans]
        return made

    def restore(self, other: FaultInjection) -> None:
        """Replace the plans by a copy of those of `other`."""
        self._plans = other.copy()._plans  # noqa: SLF001 - the same class
