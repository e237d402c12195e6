"""AsyncSessionManager: the same sessions for asynchronous code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cognito_session.argument_checks import checked
from cognito_session.assembly import Assembly
from cognito_session.core.device_label import device_label
from cognito_session.core.protocol.data import save_data
from cognito_session.core.protocol.device_cookie import signed_out_device
from cognito_session.core.protocol.devices import SessionInfo, revoke, revoke_all, sessions_of
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.session import Rejected, Session, session_or_raise
from cognito_session.core.protocol.sign_out import log_out
from cognito_session.web.unsent_cookies import made

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Unpack

    from cognito_session.assembly import ManagerSettings
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.protocol.session import Outcome
    from cognito_session.signin.flows_async import AsyncPasswordFlows
    from cognito_session.signin.managed_login import AsyncManagedLogin

__all__ = ["AsyncSessionManager"]


@checked
class AsyncSessionManager(Assembly):
    """The same sessions for asynchronous code, on whatever event loop calls."""

    @classmethod
    def from_env(
        cls, *, prefix: str = "", environ: Mapping[str, str] | None = None, **keywords: Unpack[ManagerSettings]
    ) -> AsyncSessionManager:
        """As SessionManager.from_env."""
        environ = os.environ if environ is None else environ
        configuration, rest = cls._configured(environ, prefix, dict(keywords))
        return cls(configuration, environ=environ, **rest)

    async def resolve(
        self, cookie_header: CookieHeaders, *, remaining_seconds: float | None = None, extend: bool = True
    ) -> Outcome:
        """As SessionManager.resolve. A cancelled call still commits a refresh it has begun."""
        outcome = await self.engine.arun(self.engine.resolve(cookie_header, remaining_seconds=remaining_seconds, extend=extend))
        if not isinstance(outcome, Rejected):
            made("resolve", outcome.session.set_cookies)
        return outcome

    async def establish(
        self,
        tokens: object,
        *,
        cookie_header: CookieHeaders = None,
        user_agent: str | None = None,
        remaining_seconds: float | None = None,
    ) -> Session:
        """As SessionManager.establish."""
        context = self.context.with_time_left(remaining_seconds)
        flow = establish(context, SignedIn.of(tokens), presented=cookie_header, device=device_label(user_agent))
        session = session_or_raise(await self.engine.arun(flow))
        made("establish", session.set_cookies)
        return session

    async def sign_out(self, cookie_header: CookieHeaders, *, remaining_seconds: float | None = None) -> tuple[str, ...]:
        """As SessionManager.sign_out."""
        await self.engine.arun(log_out(self.context.with_time_left(remaining_seconds), cookie_header))
        cookies = (self.context.cookie.delete_line(), *signed_out_device(self.context, cookie_header))
        made("sign_out", cookies)
        return cookies

    async def sessions_of(self, sub: str, *, current: str | None = None) -> list[SessionInfo]:
        """As SessionManager.sessions_of."""
        return await self.engine.arun(sessions_of(self.context, sub, current=current))

    async def revoke(self, sub: str, sid: str, *, remaining_seconds: float | None = None) -> bool:
        """As SessionManager.revoke."""
        return await self.engine.arun(revoke(self.context.with_time_left(remaining_seconds), sub, sid))

    async def revoke_all(self, sub: str, *, keep: str | None = None, remaining_seconds: float | None = None) -> int:
        """As SessionManager.revoke_all."""
        return await self.engine.arun(revoke_all(self.context.with_time_left(remaining_seconds), sub, keep=keep))

    async def save_data(self, me: Session, data: Mapping[str, Any], *, remaining_seconds: float | None = None) -> Session:
        """As SessionManager.save_data."""
        return me.with_data(data, await self.engine.arun(save_data(self.context.with_time_left(remaining_seconds), me, data)))

    def managed_login(
        self,
        *,
        base_url: str | None = None,
        scopes: Sequence[str] = ("openid", "email", "profile"),
        callback_path: str = "/auth/callback",
        login_path: str = "/login",
        after_sign_in: str = "/",
        after_sign_out: str = "/",
        clear_site_data: Collection[str] = (),
    ) -> AsyncManagedLogin:
        """As SessionManager.managed_login."""
        from cognito_session.signin.managed_login import AsyncManagedLogin

        paths = {
            "callback_path": callback_path,
            "login_path": login_path,
            "after_sign_in": after_sign_in,
            "after_sign_out": after_sign_out,
        }
        return AsyncManagedLogin(self.engine, self._login_site(base_url, paths, scopes, clear_site_data))

    def password_flows(self, *, issuer: str | None = None) -> AsyncPasswordFlows:
        """As SessionManager.password_flows."""
        from cognito_session.signin.flows_async import AsyncPasswordFlows

        return AsyncPasswordFlows(self.engine, issuer)

    async def csrf_token(self, me: Session) -> str:
        """As SessionManager.csrf_token."""
        from cognito_session.web.request_session import csrf_token

        return await self.engine.arun(csrf_token(self.context, me.sid))
