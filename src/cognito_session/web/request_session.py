"""RequestSession: the session of one request. It is resolved lazily, at most once per request.

Every adapter makes one per request, asks it for the session, and applies `complete` to the response. A request whose session is
not used costs nothing, and its response is unchanged. A fault is raised at each use of the session, so that a page without one
is served in an outage too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cognito_session.core.errors import SessionError, SessionRequired, TokenError
from cognito_session.core.protocol.sealing import open_value, seal_value
from cognito_session.core.protocol.session import Reason, Rejected
from cognito_session.core.protocol.steps import Report, ask
from cognito_session.http.csrf import TOKEN_HEADER, CsrfVerdict, csrf_refusal
from cognito_session.http.response import complete, cookie_name
from cognito_session.web.unsent_cookies import known_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.session import Outcome, Session
    from cognito_session.core.protocol.steps import Flow
    from cognito_session.engine import Engine
    from cognito_session.http.request import Request
    from cognito_session.http.response import Completion

__all__ = ["RequestSession", "csrf_token"]

_CSRF = "csrf"
_CROSS_SITE = Report("cross_site_refused", "", None, limited=True)
_REFUSES = 400
"""From this status on a response has given up what the request began."""
_SERVES = frozenset({"resolve", "session"})
"""Calls whose cookie is one of the session that the request brought: an adapter that serves the session sends it as well."""
_ASKED = (
    "the session was first asked for: it has neither Cache-Control: no-store nor a refreshed cookie. Ask before the"
    " response begins, not in a streamed body or a background task"
)


class RequestSession:
    """One request's session, resolved when first used.

    The sync methods run the flows of `engine` in this thread, those that begin with "a" on the event loop. Sharing one
    RequestSession between threads is harmless: they may ask twice.
    """

    sends_cookies = True
    """Whether the response to this kind of request can set a cookie."""

    def __init__(self, engine: Engine, request: Request, *, remaining_seconds: float | None = None) -> None:
        self.engine = engine
        self.request = request
        self.remaining_seconds = remaining_seconds
        self.context: FlowContext = engine.context.with_time_left(remaining_seconds)
        self._outcome: Outcome | SessionError | None = None
        self._sent: dict[str, str] = {}
        self._noted: dict[str, str] = {}
        self._response_begun = False

    def __repr__(self) -> str:
        return f"RequestSession({self.request!r}, asked={self.consulted})"

    @property
    def consulted(self) -> bool:
        """Whether the response depends on the cookie or sets one: then no cache may give it to another user."""
        return self._outcome is not None or bool(self._sent)

    @property
    def cookies(self) -> tuple[str, ...]:
        """The Set-Cookie values that the response needs: what a sign-in or sign-out sent, else what serving asked for."""
        served = self.found.set_cookies if self.found is not None else ()
        return tuple(({cookie_name(line): line for line in served} | self._sent).values())

    @property
    def found(self) -> Session | None:
        """The session, if it was resolved and there is one. Resolves nothing and raises nothing."""
        outcome = self._outcome
        return None if outcome is None or isinstance(outcome, Rejected | SessionError) else outcome.session

    @property
    def is_known(self) -> bool:
        """Whether the session was resolved: then `session` returns or raises at once."""
        return self._outcome is not None

    @property
    def reason(self) -> Reason | None:
        """Why there is no session, once it was resolved; None if there is one."""
        return self._outcome.reason if isinstance(self._outcome, Rejected) else None

    def send(self, cookies: Iterable[str]) -> None:
        """Send these Set-Cookie values with the response, whatever the request's old cookie would have asked for."""
        self._sent |= {cookie_name(line): line for line in cookies}

    def note(self, call: str, cookies: Iterable[str]) -> None:
        """The application made these Set-Cookie values by `call` of a manager, and has to send them.

        Of several values for one cookie the last one counts, but never the served session's after those of a new one.
        """
        if self.sends_cookies and not self._response_begun:
            made = {cookie_name(line): call for line in cookies}
            self._noted = made | self._noted if call in _SERVES else self._noted | made

    @property
    def has_noted(self) -> bool:
        """Whether the application made cookies that it has to send."""
        return bool(self._noted)

    def complete(self, adapter: str, status: int, headers: Iterable[tuple[str, str]]) -> Completion | None:
        """What the response of the application with these headers needs; None if it does not depend on the session.

        Call it once, when the headers go out: nothing can be added later. Logs cookies that the application forgot to send.
        """
        self._response_begun = True
        if not self._noted and not self.consulted:
            return None
        pairs = list(headers)
        self.check_sent(adapter, status, lambda: (value for name, value in pairs if name.lower() == "set-cookie"))
        return complete(pairs, self.cookies) if self.consulted else None

    def check_sent(self, adapter: str, status: int, present: Callable[[], Iterable[str]]) -> None:
        """Log a call whose cookies are neither in `present`, the application's Set-Cookie values, nor among our own.

        The refreshed cookie of the session that is served does not count for a session that begins or ends meanwhile.
        """
        if not self._noted or status >= _REFUSES:
            return
        from cognito_session.web.unsent_cookies import report

        served = frozenset(self.found.set_cookies if self.found is not None else ())
        sent = {cookie_name(line) for line in (*present(), *self._sent.values()) if line not in served}
        serving = sent | {cookie_name(line) for line in served}
        for call in sorted({call for name, call in self._noted.items() if name not in (serving if call in _SERVES else sent)}):
            report(adapter, call)

    def report_if_late(self, event: str, what: str) -> Flow[None]:
        """Tell the operator where the response has begun: a streamed body or a background task did something too late."""
        if self._response_begun:
            yield from ask(Report(event, "", None, f"the response had begun when {what}"))

    def session(self) -> Session | None:
        """The session, or None. Raises SessionUnavailable and ConfigurationError."""
        if self._outcome is None:
            try:
                with known_client(self):
                    self._outcome = self.engine.run(self._flow())
            except SessionError as error:
                self._outcome = error
        return self._answer()

    async def asession(self) -> Session | None:
        """As `session`."""
        if self._outcome is None:
            try:
                with known_client(self):
                    self._outcome = await self.engine.arun(self._flow())
            except SessionError as error:
                self._outcome = error
        return self._answer()

    def required(self) -> Session:
        """The session. Raises SessionRequired with the reason, and as `session` does."""
        return self.required_of(self.session())

    async def arequired(self) -> Session:
        """As `required`."""
        return self.required_of(await self.asession())

    def required_of(self, me: Session | None) -> Session:
        """`me`, if it is a session. Raises SessionRequired."""
        if me is None:
            raise SessionRequired("no usable session", reason=self.reason)
        return me

    def check_csrf(self) -> None:
        """Refuse a request that changes something and does not come from our own pages. Raises SessionForbidden."""
        proof = self._proof()
        if proof is False:
            self.tell_cross_site()
            raise csrf_refusal()
        if proof:
            me = self.session()
            if me is None or not self.engine.run(_token_holds(self.engine.context, me.sid, self._token())):
                self.tell_cross_site()
                raise csrf_refusal()

    async def acheck_csrf(self) -> None:
        """As `check_csrf`."""
        proof = self._proof()
        if proof is False:
            await self.atell_cross_site()
            raise csrf_refusal()
        if proof:
            me = await self.asession()
            if me is None or not await self.engine.arun(_token_holds(self.engine.context, me.sid, self._token())):
                await self.atell_cross_site()
                raise csrf_refusal()

    def _proof(self) -> bool | None:
        """None: no proof is needed. True: only the session's CSRF token can prove the origin. False: nothing can."""
        verdict = self.engine.csrf.verdict(self.request)
        if verdict is CsrfVerdict.PASSES:
            return None
        return verdict is CsrfVerdict.SILENT and self.engine.csrf.header_token and bool(self._token())

    @property
    def client_address(self) -> str:
        """The client's address, as far as the adapter knows it and the operator's proxies are believed."""
        return self.request.client_address(self.engine.trusted_proxies)

    def tell_cross_site(self) -> None:
        """Tell the operator of a request that did not come from our own pages, with its address and nothing of its content."""
        from cognito_session.drivers.alarms import raise_alarm

        with known_client(self):
            raise_alarm(_CROSS_SITE, self.engine.ports)

    async def atell_cross_site(self) -> None:
        """As `tell_cross_site`."""
        from cognito_session.drivers.alarms import raise_alarm_async

        with known_client(self):
            await raise_alarm_async(_CROSS_SITE, self.engine.ports)

    def _token(self) -> str:
        return self.request.header(TOKEN_HEADER) or ""

    def _flow(self) -> Flow[Outcome]:
        yield from self.report_if_late("asked_too_late", _ASKED)
        return (yield from self.engine.resolve(self.request.cookie_headers, remaining_seconds=self.remaining_seconds))

    def _answer(self) -> Session | None:
        if isinstance(self._outcome, SessionError):
            raise self._outcome
        return None if self._outcome is None or isinstance(self._outcome, Rejected) else self._outcome.session


def csrf_token(context: FlowContext, sid: str) -> Flow[str]:
    """A token that only pages served to this session know; another text each time. Raises ConfigurationError without keys."""
    return (yield from seal_value(context, b"", purpose=_CSRF, bound_to=(sid,)))


def _token_holds(context: FlowContext, sid: str, token: str) -> Flow[bool]:
    try:
        opened: Any = yield from open_value(context, token, purpose=_CSRF, bound_to=(sid,))
    except TokenError:
        return False
    return bool(opened == b"")
