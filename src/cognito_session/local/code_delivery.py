"""Puts the codes that ministack creates into the outbox when an operation sends one.

A code counts as sent if the response names a destination, and for AdminResetUserPassword, whose response is empty.
"""

from collections.abc import Mapping
from typing import Any, Final

from cognito_session.local.emulator import Emulator
from cognito_session.local.http_response import HttpResponse
from cognito_session.local.outbox import Medium, Outbox, Purpose, SentMessage
from cognito_session.testing.clock import SharedClock

__all__ = ["SENDING", "CodeDelivery"]

SENDING: Final[Mapping[str, Purpose]] = {
    "SignUp": "sign_up",
    "ResendConfirmationCode": "resend",
    "ForgotPassword": "forgot_password",
    "AdminResetUserPassword": "reset_password",
}
"""Operations that send a code, and what for."""


class CodeDelivery:
    """Copies ministack's codes into the outbox."""

    def __init__(self, emulator: Emulator, outbox: Outbox, clock: SharedClock) -> None:
        self._emulator = emulator
        self._outbox = outbox
        self._clock = clock

    def note(self, operation: str, payload: Mapping[str, Any], answer: HttpResponse) -> None:
        """Put the code of this operation into the outbox; an unknown user gets no message."""
        details = answer.json().get("CodeDeliveryDetails")
        if answer.error or not (details or operation == "AdminResetUserPassword"):
            return
        client = self._emulator.client(payload.get("ClientId"))
        pool = client.pool if client else self._emulator.pool(payload.get("UserPoolId"))
        account = self._emulator.account(pool, payload.get("Username")) if pool else None
        code = account and account.pending_code("password" if "password" in SENDING[operation] else "sign_up")
        if account and pool and code:
            medium: Medium = "SMS" if details and details.get("DeliveryMedium") == "SMS" else "EMAIL"
            self._outbox.send(
                SentMessage(account.username, medium, SENDING[operation], code, str(pool["Id"]), self._clock.now())
            )

    def confirmed(self, payload: Mapping[str, Any], answer: HttpResponse) -> None:
        """Mark the address as verified: a confirmed sign-up proves it, and ministack does not record that."""
        client = self._emulator.client(payload.get("ClientId"))
        account = self._emulator.account(client.pool, payload.get("Username")) if client and not answer.error else None
        if account and "email" in account.attributes:
            account.set_attributes({"email_verified": "true"})
