"""Managed login: start, callback, sign_out, for whatever request a framework or Lambda hands over.

    login = sessions.managed_login(base_url="https://app.example")
    GET  /login          -> login.start(request)
    GET  /auth/callback  -> login.callback(request)
    POST /sign-out       -> login.sign_out(request)

Each answers in the request's own form. The two classes differ in the driver alone. What cannot be found out or is set up
wrong becomes an answer too: a route of these three needs no error handling of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cognito_session.argument_checks import checked
from cognito_session.core.errors import SessionError
from cognito_session.core.security_headers import SECURITY_HEADERS
from cognito_session.http.base_path import base_path_of, below
from cognito_session.http.csrf import origin_of
from cognito_session.http.error_response import refusal
from cognito_session.http.response import Response
from cognito_session.signin.callback import LoginCase, begin, come_back
from cognito_session.signin.entry import Entry
from cognito_session.signin.login_site import LoginSite
from cognito_session.signin.return_to import own_path, safe_return_to, wanted_return_to
from cognito_session.signin.sign_out import sign_out
from cognito_session.web.adapted_request import adapt
from cognito_session.web.request_session import RequestSession
from cognito_session.web.unsent_cookies import known_client

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from cognito_session.core.protocol.steps import Flow
    from cognito_session.engine import Engine
    from cognito_session.http.request import Request
    from cognito_session.signin.sign_out import Where
    from cognito_session.web.adapted_request import AdaptedRequest

__all__ = ["AsyncManagedLogin", "ManagedLogin"]


class _ManagedLogin:
    """What both are made of."""

    def __init__(self, engine: Engine, site: LoginSite) -> None:
        self.site = site
        self._engine = engine

    def _case(self) -> LoginCase:
        server = self._engine.ports.authorization_server
        if server is None:
            raise AssertionError("unreachable: a manager has one from the beginning")
        return LoginCase(self._engine.context, self.site, server)

    def _start(self, request: Request, return_to: str | None, entry: Entry) -> Flow[Response]:
        if entry.prompt is None and request.parameters("prompt") == ["login"]:  # the link of a stale sign-in's page
            entry = entry._replace(prompt="login")
        wanted = wanted_return_to(request, origin_of(self.site.base_url)) if return_to is None else return_to
        return begin(self._case(), request, self._own(wanted, self.site.after_sign_in), entry.checked())

    def _own(self, wanted: str | None, default: str = "/") -> str:
        """`wanted`, or `default` where it is no path of this site; as a browser asks for it."""
        return below(base_path_of(self.site.base_url), safe_return_to(wanted, default))

    def _refused(self, adapted: AdaptedRequest, error: SessionError) -> Any:
        return adapted.respond(refusal(adapted.request, error, login_path=self.site.login_path))


@checked
class ManagedLogin(_ManagedLogin):
    """Signing in and out through managed login, for synchronous code."""

    def start(
        self,
        request: Any,
        *,
        return_to: str | None = None,
        identity_provider: str | None = None,
        sign_up: bool = False,
        prompt: str | None = None,
        language: str | None = None,
        login_hint: str | None = None,
    ) -> Any:
        """Send the browser to sign in; afterwards it comes back to `return_to`, a path of your site.

        Without `return_to` the request's query parameter of that name is taken, or else `next`, as Django, Flask-Login and
        Starlette send it; what is not a path of your site, of at most 2,048 characters, becomes `after_sign_in`. A prefetch of
        this page is a 503 and begins nothing. `identity_provider` names one that the user pool knows ("Google"), `sign_up`
        shows the sign-up page first, `prompt` is OIDC's ("login" asks for the password again: use it before a sensitive
        action; "none" shows nothing), `language` a code such as "de". Without `prompt` the request's `prompt=login` is
        followed, to which the page for a `stale_sign_in` links.
        """
        adapted = adapt(request)
        entry = Entry(identity_provider, sign_up, prompt, language, login_hint)
        return self._answer(adapted, lambda: self._start(adapted.request, return_to, entry))

    def callback(self, request: Any) -> Any:
        """What Cognito sent the browser back with: a redirect with the session's cookie, or a page that says what to do."""
        adapted = adapt(request)
        return self._answer(adapted, lambda: come_back(self._case(), adapted.request))

    def sign_out(self, request: Any, *, where: Where = "here", return_to: str = "/") -> Any:
        """End sessions, by POST: "here" and "everywhere" end managed login's own cookie too; "elsewhere" stays here.

        A request from another site is a 403. `return_to` is where "elsewhere" goes on. "elsewhere" and "everywhere" ask for a
        recent sign-in (`SessionPolicy.recent_sign_in_seconds`). Without one nothing ends, and the answer is a 403
        `stale_sign_in`; a person gets a page that leads to sign in again.
        """
        adapted = adapt(request)
        try:
            RequestSession(self._engine, adapted.request).check_csrf()
        except SessionError as error:
            return self._refused(adapted, error)
        return self._answer(adapted, lambda: sign_out(self._case(), adapted.request, where, self._own(return_to)))

    def _answer(self, adapted: AdaptedRequest, flow: Any) -> Any:
        try:
            with known_client(RequestSession(self._engine, adapted.request)):
                return adapted.respond(self._engine.run(_unless_ahead(adapted.request, flow)))
        except SessionError as error:
            return self._refused(adapted, error)


@checked
class AsyncManagedLogin(_ManagedLogin):
    """The same for asynchronous code."""

    async def start(
        self,
        request: Any,
        *,
        return_to: str | None = None,
        identity_provider: str | None = None,
        sign_up: bool = False,
        prompt: str | None = None,
        language: str | None = None,
        login_hint: str | None = None,
    ) -> Any:
        """As ManagedLogin.start."""
        adapted = adapt(request)
        entry = Entry(identity_provider, sign_up, prompt, language, login_hint)
        return await self._answer(adapted, lambda: self._start(adapted.request, return_to, entry))

    async def callback(self, request: Any) -> Any:
        """As ManagedLogin.callback."""
        adapted = adapt(request)
        return await self._answer(adapted, lambda: come_back(self._case(), adapted.request))

    async def sign_out(self, request: Any, *, where: Where = "here", return_to: str = "/") -> Any:
        """As ManagedLogin.sign_out."""
        adapted = adapt(request)
        try:
            await RequestSession(self._engine, adapted.request).acheck_csrf()
        except SessionError as error:
            return self._refused(adapted, error)
        return await self._answer(adapted, lambda: sign_out(self._case(), adapted.request, where, self._own(return_to)))

    async def _answer(self, adapted: AdaptedRequest, flow: Any) -> Any:
        try:
            with known_client(RequestSession(self._engine, adapted.request)):
                return adapted.respond(await self._engine.arun(_unless_ahead(adapted.request, flow)))
        except SessionError as error:
            return self._refused(adapted, error)


def _unless_ahead(request: Request, flow: Callable[[], Flow[Response]]) -> Flow[Response]:
    """The flow's answer, or a 503 to a prefetch: nothing begins and nothing is redeemed until a person navigates.

    A browser keeps no prefetched answer with a status outside 200 to 299 and asks again (HTML 7.5.2). It would follow a
    redirect: each link that a pointer passes would begin a flow and push a real one out.
    """
    if request.is_prefetch:
        return Response(503, {**SECURITY_HEADERS, "Vary": "Sec-Purpose, Purpose", "Content-Type": "text/plain"})
    return (yield from flow())


def login_site(
    *,
    base_url: str,
    client_id: str,
    scopes: Sequence[str],
    callback_path: str,
    login_path: str,
    after_sign_in: str,
    after_sign_out: str,
    clear_site_data: Collection[str] = (),
) -> LoginSite:
    """The settings, checked. Raises ConfigurationError."""
    paths = {
        "callback_path": callback_path,
        "login_path": login_path,
        "after_sign_in": after_sign_in,
        "after_sign_out": after_sign_out,
    }
    checked = {name: own_path(path, name) for name, path in paths.items()}
    for name in ("login_path", "after_sign_in"):
        checked[name] = below(base_path_of(base_url), checked[name])
    asked = tuple(dict.fromkeys(("openid", *scopes)))
    return LoginSite(base_url.rstrip("/"), client_id, asked, **checked, clear_site_data=tuple(clear_site_data))
