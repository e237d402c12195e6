"""AsyncPasswordFlows: the operations of PasswordFlows as coroutines. They differ in the driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cognito_session.argument_checks import checked
from cognito_session.core.device_label import device_label
from cognito_session.signin import account, answering, passwords
from cognito_session.signin.flows import FlowsDesk, noted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.protocol.session import Session
    from cognito_session.core.protocol.steps import Flow
    from cognito_session.signin.outcome import (
        ChallengeRequired,
        CodeSent,
        Done,
        PasskeyOptions,
        PasswordChanged,
        PasswordReset,
        Refused,
        SignInOutcome,
        TotpSecret,
    )

__all__ = ["AsyncPasswordFlows"]

T = TypeVar("T")


@checked
class AsyncPasswordFlows(FlowsDesk):
    """For asynchronous code."""

    async def register(
        self, username: str | None, password: str | None, *, attributes: Mapping[str, str] | None = None
    ) -> CodeSent | Done | Refused:
        """As PasswordFlows.register."""
        return await self._run(passwords.register(self._desk, username, password, attributes or {}))

    async def confirm(self, username: str | None, code: str | None) -> Done | Refused:
        """As PasswordFlows.confirm."""
        return await self._run(passwords.confirm(self._desk, username, code))

    async def resend(self, username: str | None) -> CodeSent:
        """As PasswordFlows.resend."""
        return await self._run(passwords.resend(self._desk, username))

    async def sign_in(
        self, username: str | None, password: str | None, *, cookie_header: CookieHeaders = None, user_agent: str | None = None
    ) -> SignInOutcome:
        """As PasswordFlows.sign_in."""
        device = device_label(user_agent)
        return noted(
            "sign_in",
            await self._run(passwords.sign_in(self._desk, username, password, presented=cookie_header, device=device)),
        )

    async def start(
        self,
        username: str | None,
        *,
        preferred: str | None = None,
        cookie_header: CookieHeaders = None,
        user_agent: str | None = None,
    ) -> SignInOutcome:
        """As PasswordFlows.start."""
        device = device_label(user_agent)
        flow = answering.start(self._desk, username, preferred=preferred, presented=cookie_header, device=device)
        return noted("start", await self._run(flow))

    async def pending(self, cookie_header: CookieHeaders) -> ChallengeRequired | None:
        """As PasswordFlows.pending."""
        return await self._run(answering.pending(self._desk, cookie_header))

    async def answer(
        self,
        cookie_header: CookieHeaders,
        response: str | None,
        *,
        challenge: str | None = None,
        attributes: Mapping[str, str] | None = None,
        user_agent: str | None = None,
    ) -> SignInOutcome:
        """As PasswordFlows.answer."""
        flow = answering.answer(
            self._desk,
            response,
            presented=cookie_header,
            challenge=challenge,
            attributes=attributes,
            device=device_label(user_agent),
        )
        return noted("answer", await self._run(flow))

    async def forgot_password(self, username: str | None) -> CodeSent:
        """As PasswordFlows.forgot_password."""
        return await self._run(passwords.forgot_password(self._desk, username))

    async def confirm_forgot_password(
        self, username: str | None, code: str | None, new_password: str | None, *, sign_out_others: bool | None = None
    ) -> PasswordReset | Refused:
        """As PasswordFlows.confirm_forgot_password."""
        flow = passwords.confirm_forgot_password(self._desk, username, code, new_password, sign_out_others=sign_out_others)
        return noted("confirm_forgot_password", await self._run(flow))

    async def change_password(
        self, me: Session, previous: str | None, proposed: str | None, *, sign_out_others: bool | None = None
    ) -> PasswordChanged | Refused:
        """As PasswordFlows.change_password."""
        flow = account.change_password(self._desk, me, previous, proposed, sign_out_others=sign_out_others)
        return await self._run(flow)

    async def account_changed(self, me: Session, what: str) -> Done:
        """As PasswordFlows.account_changed."""
        return await self._run(account.account_changed(self._desk, me, what))

    async def begin_totp(self, me: Session, *, account_name: str | None = None) -> TotpSecret | Refused:
        """As PasswordFlows.begin_totp."""
        return await self._run(account.begin_totp(self._desk, me, account_name))

    async def confirm_totp(self, me: Session, code: str | None) -> Done | Refused:
        """As PasswordFlows.confirm_totp."""
        return await self._run(account.confirm_totp(self._desk, me, code))

    async def begin_passkey(self, me: Session) -> PasskeyOptions | Refused:
        """As PasswordFlows.begin_passkey."""
        return await self._run(account.begin_passkey(self._desk, me))

    async def complete_passkey(self, me: Session, credential: str | None) -> Done | Refused:
        """As PasswordFlows.complete_passkey."""
        return await self._run(account.complete_passkey(self._desk, me, credential))

    async def remember_device(self, me: Session, *, remembered: bool = True) -> Done | Refused:
        """As PasswordFlows.remember_device."""
        return await self._run(account.remember_device(self._desk, me, remembered=remembered))

    async def _run(self, flow: Flow[T]) -> T:
        return await self._engine.arun(flow)
