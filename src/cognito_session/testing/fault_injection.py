"""Outages to come: which service, in what way, for which calls and how many of them.

Nothing here knows what a session is; whoever carries out a call asks what is to happen to it.
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
"""fail: nothing is done. throttle: nothing is done, and Cognito or DynamoDB says so. forbid: nothing is done, because something
is set up wrong. lose_answer: done, the answer lost.
"""


@dataclass(slots=True)
class _Plan:
    """One kind of trouble. `left`: for so many calls, None for all."""

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
"""What `only` may name: each operation and purpose of a service's calls."""


class FaultInjection:
    """What is going to go wrong. The oldest plan that fits a call matches it."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []

    def add(self, kind: FaultKind, service: Service, *, only: str | None, times: int | None) -> None:
        """Plan it. `only` is an operation or a purpose (see Call). Raises ValueError."""
        if service not in ("dynamodb", "cognito", "keys"):
            raise ValueError(f'expected "dynamodb", "cognito" or "keys", not {service!r}')
        if only is not None and only not in _NAMES[service]:
            raise ValueError(f"only: expected one of {', '.join(sorted(_NAMES[service]))}, not {only!r}: no call would fail")
        if times is not None and times < 1:
            raise ValueError(f"times: expected 1 or more, or None for all calls, not {times}")
        self._plans.append(_Plan(kind, service, only, times))

    def take(self, call: Call) -> FaultKind | None:
        """What happens to this call; a plan for so many calls has one less to come."""
        for plan in self._plans:
            if plan.matches(call):
                if plan.left is not None:
                    plan.left -= 1
                return plan.kind
        return None

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._plans.clear()

    def copy(self) -> FaultInjection:
        """The same plans, of which each has its own count."""
        made = FaultInjection()
        made._plans = [_Plan(plan.kind, plan.service, plan.only, plan.left) for plan in self._plans]
        return made

    def restore(self, other: FaultInjection) -> None:
        """The plans of `other`, from its counts."""
        self._plans = other.copy()._plans  # noqa: SLF001 - another one of these
