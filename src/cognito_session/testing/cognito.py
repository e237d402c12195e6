"""Cognito, the value of the pytest fixture `cognito`: Amazon Cognito and DynamoDB in memory, with a clock that a test advances.

    def test_orders(cognito):
        cognito.attach(sessions)                                  # the application's own manager, restored afterwards
        event = cognito.event("http-v2", path="/orders", groups=["staff"])
        assert handler(event, cognito.context)["statusCode"] == 200
        cognito.expire()                                          # the next request refreshes
        assert handler(event, cognito.context)["statusCode"] == 200

It needs no network, no cloud and no waiting. It runs the real protocol, so a test sees the behaviour of production.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cognito_session.argument_checks import check_manager
from cognito_session.testing import event_request
from cognito_session.testing.attachment import Attachment
from cognito_session.testing.browser import Browser
from cognito_session.testing.clock import ManualClock
from cognito_session.testing.events import event as build_event
from cognito_session.testing.framework_clients import client_of
from cognito_session.testing.kit_state import KitState
from cognito_session.testing.lambda_context import LambdaContext
from cognito_session.testing.outages import Outages
from cognito_session.testing.races import Races
from cognito_session.testing.users import DEFAULT_USER, SignInOptions, Users

if TYPE_CHECKING:
    from collections.abc import Collection

    from cognito_session import AsyncSessionManager, SessionManager
    from cognito_session.testing.event_request import Body, Query, Site
    from cognito_session.testing.events import EventForm

    Manager = SessionManager | AsyncSessionManager
    Who = str | Browser | None

__all__ = ["Cognito"]

M = TypeVar("M", bound="SessionManager | AsyncSessionManager")
_HANDSHAKES = ("websocket-connect", "authorizer-websocket")


class Cognito(Users, Outages, Races):
    """The test kit. As a context manager it restores every attached manager at its end.

    `clock`: a ManualClock; by default one that starts at a fixed instant in 2023.
    """

    def __init__(self, clock: ManualClock | None = None) -> None:
        self._state = KitState(clock or ManualClock())
        self._attachments: list[Attachment] = []
        self._browser = self._last = Browser(self._state.clock)
        self._named: dict[str, Browser] = {}

    def __repr__(self) -> str:
        return f"Cognito({len(self._attachments)} managers attached)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    def attach(self, manager: M) -> M:
        """Connect this manager to the kit instead of AWS: store, user pool, keys, clock. It keeps its policy, cookie and table
        layout.

        Attaching twice is harmless. Returns the manager.
        """
        check_manager("attach", manager)
        if all(each.manager is not manager for each in self._attachments):
            self._attachments.append(Attachment(manager, self._state))
        return manager

    def attach_session_call(self, cookie_name: str = "token") -> SessionManager:
        """As `attach`, for an application that calls `session(cookie_name, event)` and has no manager of its own."""
        from cognito_session.manager import default_manager

        return self.attach(default_manager(cookie_name))

    def detach(self) -> None:
        """Restore all managers; the fixture does this at the end of a test."""
        while self._attachments:
            self._attachments.pop().restore()

    def event(
        self,
        form: EventForm = "http-v2",
        *,
        method: str = "GET",
        path: str = "/",
        query: Query = None,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        groups: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        user: Who = None,
        signed_in: bool = True,
        cookies: Mapping[str, str] | str | None = None,
        site: Site = "same-origin",
        manager: Manager | None = None,
    ) -> dict[str, Any]:
        """A Lambda event of this form (see `cognito_session.testing.events`), signed in.

        The kit signs the user in once ("alice", unless `user` names another user or a browser). Later events send the cookies
        that the browser has then, so `keep` a response to follow a sign-out. Other `groups` or `scopes` cause another sign-in.
        With `signed_in=False` the event has no session cookie. `cookies` are added to the browser's cookies; a text replaces
        the whole Cookie header. `path` can have a query, or be a whole address. `site` is the Sec-Fetch-Site of a request that
        changes something: "cross-site" for another site's page, None for a client that is not a browser. Raises ValueError and
        ConfigurationError.
        """
        attachment = self._attachment(manager)
        self._last = browser = self._signed_in(attachment, user, groups, scopes) if signed_in else self._whose(user)
        browser.last_form = form
        identity = browser.identity(attachment.cookie_name)
        asked = event_request.event_request(
            origin=attachment.origin,
            method=method,
            path=path,
            query=query,
            headers=headers or {},
            site=site,
            body=body,
            cookie="",
            at=self.clock.now(),
            request_id=self._state.entropy.uuid(),
            handshake=form in _HANDSHAKES,
        )
        asked = asked._replace(
            cookie=_cookie_header(browser, asked.path, cookies, () if signed_in else (attachment.cookie_name,))
        )
        if signed_in and identity is not None:
            asked = asked._replace(sub=identity.sub, sid=identity.sid)
        return self._vouched(attachment.manager, build_event(form, asked))

    def _vouched(self, manager: Any, event: dict[str, Any]) -> dict[str, Any]:
        """A message event as API Gateway sends it if `manager.authorizer()` protects $connect."""
        request_context = event.get("requestContext", {})
        told = (
            request_context.get("authorizer")
            if request_context.get("eventType") == "MESSAGE" and manager.engine.websocket_api
            else None
        )
        if told:
            from cognito_session.drivers.sync import run
            from cognito_session.web.aws_lambda.websocket import CONNECTION, seal_connection

            told[CONNECTION] = run(seal_connection(manager.context, request_context, told["sub"], told["sid"]), manager.ports)
        return event

    def client(
        self,
        app: Any,
        *,
        groups: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        user: Who = None,
        signed_in: bool = True,
        manager: Manager | None = None,
    ) -> Any:
        """The test client of the application's framework (Starlette, FastAPI, Flask, Django), signed in, over https.

        The client keeps its own cookies. The user is chosen as in `event`. Raises TypeError for an unknown application.
        """
        attachment = self._attachment(manager)
        self._last = browser = self._signed_in(attachment, user, groups, scopes) if signed_in else self._whose(user)
        without = () if signed_in else (attachment.cookie_name,)
        return client_of(app, attachment.origin, browser.jar.cookies(without=without))

    @property
    def context(self) -> LambdaContext:
        """A new Lambda context with 30 seconds left."""
        return self.context_with(30)

    def context_with(self, seconds: float) -> LambdaContext:
        """A new Lambda context with this many seconds left on the test's clock."""
        return LambdaContext(self.clock, self._state.entropy.uuid(), seconds=seconds)

    def keep(self, response: Any, *, form: EventForm | None = None) -> None:
        """Keep the cookies of a response in the browser of the last event or sign-in; see Browser.keep."""
        self._last.keep(response, form=form)

    @property
    def cookie_header(self) -> str:
        """The Cookie header that the browser of the last event or sign-in sends with a request for "/"."""
        return self._last.cookie_header

    def _whose(self, user: Who) -> Browser:
        if user is None:
            return self._browser
        return user if isinstance(user, Browser) else self._named.setdefault(user, Browser(self.clock))

    def _signed_in(
        self, attachment: Attachment, user: Who, groups: Collection[str] | None, scopes: Collection[str] | None
    ) -> Browser:
        browser, name = self._whose(user), attachment.cookie_name
        known = browser.identity(name) if browser.was_signed_in(name) else None
        others = known is None or not _fits(groups, known.groups) or not _fits(scopes, known.scopes)
        if not browser.was_signed_in(name) or (others and (groups is not None or scopes is not None)):
            username = user if isinstance(user, str) else browser.username or DEFAULT_USER
            self._sign_in(browser, attachment, SignInOptions(username, groups, scopes))
        return browser


def _fits(wanted: Collection[str] | None, known: tuple[str, ...]) -> bool:
    return wanted is None or tuple(wanted) == known


def _cookie_header(browser: Browser, path: str, cookies: Mapping[str, str] | str | None, without: Collection[str]) -> str:
    if isinstance(cookies, str):
        return cookies
    own = browser.jar.header(path, without=without)
    added = [f"{name}={value}" for name, value in (cookies or {}).items()]
    return "; ".join([*([own] if own else []), *added])
