"""SessionManager: sessions for synchronous code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, overload

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
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Unpack

    from cognito_session.assembly import ManagerSettings
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.protocol.session import Outcome
    from cognito_session.signin.flows import PasswordFlows
    from cognito_session.signin.managed_login import ManagedLogin
    from cognito_session.web.aws_lambda.authorizer import Authorizer
    from cognito_session.web.aws_lambda.protect import (
        AsyncHandler,
        Handler,
        OptionalAsyncHandler,
        OptionalHandler,
        OptionalProtector,
        OtherEvents,
        ProtectedCoroutine,
        ProtectedHandler,
        Protector,
    )

__all__ = ["SessionManager"]


@checked
class SessionManager(Assembly):
    """Sessions for synchronous code. Safe to share between threads; make one per process.

    `resolve` answers with values: Active, Refreshed (an Active) or Rejected. What could not be found out is a
    SessionUnavailable (503), what is set up wrong a ConfigurationError (500).
    """

    @classmethod
    def from_env(
        cls, *, prefix: str = "", environ: Mapping[str, str] | None = None, **keywords: Unpack[ManagerSettings]
    ) -> SessionManager:
        """From the environment (see Configuration.from_env); keywords win, and are the constructor's otherwise."""
        environ = os.environ if environ is None else environ
        configuration, rest = cls._configured(environ, prefix, dict(keywords))
        return cls(configuration, environ=environ, **rest)

    def resolve(self, cookie_header: CookieHeaders, *, remaining_seconds: float | None = None, extend: bool = True) -> Outcome:
        """Find the session of a Cookie header.

        `remaining_seconds` is the rest of the function's time, if limited. With `extend=False` the session's idle end is not
        moved (polling).
        """
        outcome = self.engine.run(self.engine.resolve(cookie_header, remaining_seconds=remaining_seconds, extend=extend))
        if not isinstance(outcome, Rejected):
            made("resolve", outcome.session.set_cookies)
        return outcome

    def establish(
        self,
        tokens: object,
        *,
        cookie_header: CookieHeaders = None,
        user_agent: str | None = None,
        remaining_seconds: float | None = None,
    ) -> Session:
        """Begin a session with Cognito's AuthenticationResult; send its `set_cookies`.

        The session of `cookie_header` (the sign-in request's own) ends. `user_agent` becomes the device's
        label in `sessions_of`. `remaining_seconds` is what is left of the function's time, if limited: a store that refuses
        writes is asked again within it. Raises SessionRequired where the access token has expired, where this very sign-in's
        session has been ended or the user signed out everywhere since; SessionForbidden where the policy refuses one more
        session; SessionUnavailable, which names the cause.
        """
        context = self.context.with_time_left(remaining_seconds)
        flow = establish(context, SignedIn.of(tokens), presented=cookie_header, device=device_label(user_agent))
        session = session_or_raise(self.engine.run(flow))
        made("establish", session.set_cookies)
        return session

    def sign_out(self, cookie_header: CookieHeaders, *, remaining_seconds: float | None = None) -> tuple[str, ...]:
        """End the session of this cookie and revoke its tokens; the Set-Cookie values that delete its cookies.

        `remaining_seconds` is what is left of the function's time, if limited. Raises SessionUnavailable.
        """
        self.engine.run(log_out(self.context.with_time_left(remaining_seconds), cookie_header))
        cookies = (self.context.cookie.delete_line(), *signed_out_device(self.context, cookie_header))
        made("sign_out", cookies)
        return cookies

    def sessions_of(self, sub: str, *, current: str | None = None) -> list[SessionInfo]:
        """The user's live sessions, newest first, without secrets; `current` is the asking session's `sid`."""
        return self.engine.run(sessions_of(self.context, sub, current=current))

    def revoke(self, sub: str, sid: str, *, remaining_seconds: float | None = None) -> bool:
        """End one session and revoke its tokens; False where there was none. Raises SessionUnavailable.

        `remaining_seconds` is what is left of the function's time, if limited.
        """
        return self.engine.run(revoke(self.context.with_time_left(remaining_seconds), sub, sid))

    def revoke_all(self, sub: str, *, keep: str | None = None, remaining_seconds: float | None = None) -> int:
        """Sign the user out everywhere, or everywhere but in `keep`; how many sessions ended. Raises SessionUnavailable.

        Without `keep` no sign-in from before can land behind it. One that follows within two seconds (four, where this
        machine's clock is ahead of Cognito's) is refused as `signed_out` as well, and has to be made again. With `keep` the
        sessions end that exist, and no sign-in is refused. `remaining_seconds` is what is left of the function's time, if
        limited.
        """
        return self.engine.run(revoke_all(self.context.with_time_left(remaining_seconds), sub, keep=keep))

    def save_data(self, me: Session, data: Mapping[str, Any], *, remaining_seconds: float | None = None) -> Session:
        """Replace the session's data, written only if it differs; the session with its new data.

        Raises SessionConflict (409) where another request changed it since `me` was served, SessionRequired where the
        session has ended, ConfigurationError (a ValueError) for what is not JSON or over 16 kB.
        """
        return me.with_data(data, self.engine.run(save_data(self.context.with_time_left(remaining_seconds), me, data)))

    def csrf_token(self, me: Session) -> str:
        """A token for X-CSRF-Token, for pages of browsers too old for Sec-Fetch-Site and Origin (`Csrf(header_token=True)`).

        Bound to the session; another text each time. Raises ConfigurationError where there are no keys.
        """
        from cognito_session.web.request_session import csrf_token

        return self.engine.run(csrf_token(self.context, me.sid))

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
    ) -> ManagedLogin:
        """Signing in and out through Cognito's managed login; see cognito_session.signin.managed_login.

        `base_url` (else APP_BASE_URL) is your site's address; the app client must allow `base_url` + `callback_path` as a
        callback and `base_url` + `after_sign_out` as a sign-out address. Raises ConfigurationError.

        `clear_site_data`, of "cache", "storage" and "cookies", is what a sign-out tells the browser to delete (the header
        Clear-Site-Data); "cookies" deletes those of sibling hosts as well.
        """
        from cognito_session.signin.managed_login import ManagedLogin

        paths = {
            "callback_path": callback_path,
            "login_path": login_path,
            "after_sign_in": after_sign_in,
            "after_sign_out": after_sign_out,
        }
        return ManagedLogin(self.engine, self._login_site(base_url, paths, scopes, clear_site_data))

    def password_flows(self, *, issuer: str | None = None) -> PasswordFlows:
        """Signing up and in on your own pages, without a redirect; see cognito_session.signin.flows.

        `issuer` is how authenticator apps name your site; the host of APP_BASE_URL where none is given.
        """
        from cognito_session.signin.flows import PasswordFlows

        return PasswordFlows(self.engine, issuer)

    def password_reset_trigger(self) -> Callable[[Any, Any], Any]:
        """A Lambda handler for the user pool's post confirmation trigger: a reset password ends the user's sessions.

        It covers managed login, whose forgotten passwords this library does not see. What cannot be ended is reported to
        `on_event` as `others_not_signed_out`; the event is returned as it came.
        """
        from cognito_session.signin.trigger import password_reset_trigger

        return password_reset_trigger(self.engine)

    @overload
    def protect(
        self,
        handler: AsyncHandler,
        *,
        optional: Literal[False] = False,
        login_path: str | None = None,
        other_events: OtherEvents | None = None,
    ) -> ProtectedCoroutine: ...

    @overload
    def protect(
        self,
        handler: Handler,
        *,
        optional: Literal[False] = False,
        login_path: str | None = None,
        other_events: OtherEvents | None = None,
    ) -> ProtectedHandler: ...

    @overload
    def protect(
        self,
        handler: OptionalAsyncHandler,
        *,
        optional: Literal[True],
        login_path: str | None = None,
        other_events: OtherEvents | None = None,
    ) -> ProtectedCoroutine: ...

    @overload
    def protect(
        self,
        handler: OptionalHandler,
        *,
        optional: Literal[True],
        login_path: str | None = None,
        other_events: OtherEvents | None = None,
    ) -> ProtectedHandler: ...

    @overload
    def protect(
        self,
        handler: None = None,
        *,
        optional: Literal[False] = False,
        login_path: str | None = None,
        other_events: OtherEvents | None = None,
    ) -> Protector: ...

    @overload
    def protect(
        self,
        handler: None = None,
        *,
        optional: Literal[True],
        login_path: str | None = None,
        other_events: OtherEvents | None = None,
    ) -> OptionalProtector: ...

    def protect(
        self,
        handler: Callable[..., Any] | None = None,
        *,
        optional: bool = False,
        login_path: str | None = None,
        other_events: OtherEvents | None = None,
    ) -> Any:
        """Decorate a Lambda handler `handler(event, context, me)`; see cognito_session.web.aws_lambda.protect.

        `other_events(event, context)` serves what is no request: a schedule's event, a queue's, a warm-up's.
        """
        from cognito_session.web.aws_lambda.protect import protect

        return protect(self.engine, handler, optional=optional, login_path=login_path, other_events=other_events)

    def authorizer(
        self,
        *,
        any_group: Collection[str] | None = None,
        all_groups: Collection[str] = (),
        scopes: Collection[str] = (),
        simple: bool = True,
    ) -> Authorizer:
        """A Lambda authorizer for REST, HTTP and WebSocket APIs, as a handler; see web/aws_lambda/authorizer.py."""
        from cognito_session.web.aws_lambda.authorizer import authorizer

        return authorizer(self.engine, any_group=any_group, all_groups=all_groups, scopes=scopes, simple=simple)
