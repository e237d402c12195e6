"""A SessionError as a response: a redirect to sign-in or a page for a person, JSON for a program.

Only a missing session is redirected, and only for a page that is requested by a safe method: a redirected POST would lose its
body. A stale sign-in gets a page with a link, never a redirect: if the sign-in page does not ask for the password again, a
redirect would loop. No refusal clears a cookie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.errors import ConfigurationError, SessionError, SessionRequired, StaleSignIn
from cognito_session.http.base_path import below, location_of
from cognito_session.http.caught_errors import forget
from cognito_session.http.response import json_response, redirect
from cognito_session.http.url_escaping import MAX_RETURN_TO_CHARS

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from cognito_session.http.request import Request
    from cognito_session.http.response import Response

__all__ = ["refusal", "session_error_of"]

_PAGES = {
    401: ("Please sign in", "You must be signed in to open this page."),
    403: ("Access denied", "Your account may not do this. If you came from another site, start from a page of this site."),
    409: ("Conflicting change", "Another request changed this at the same time. Go back, reload the page and try again."),
    500: ("Server configuration error", "This site is misconfigured. Its operators can find the reason in their log."),
    503: ("Temporarily unavailable", "A service of this site did not respond. Nothing was changed. Try again in a moment."),
}


def session_error_of(error: BaseException) -> SessionError | None:
    """The SessionError that an exception is. A group of them and of nothing else, as asyncio.TaskGroup raises, is its first."""
    if isinstance(error, SessionError):
        return error
    if not isinstance(error, BaseExceptionGroup):
        return None
    found = [session_error_of(each) for each in error.exceptions]
    return found[0] if all(found) else None


def refusal(
    request: Request,
    error: SessionError,
    *,
    login_path: str | None = None,
    base_path: str = "",
    cookies: tuple[str, ...] = (),
) -> Response:
    """The response to `error`; `cookies` are those of a session that was refreshed before it was refused.

    `login_path` and the request's own path are below `base_path` for a browser.
    """
    forget(error)
    if isinstance(error, ConfigurationError):
        import logging

        logging.getLogger("cognito_session").error("%s", error)
    if request.is_navigation:
        login_path = login_path and below(base_path, login_path)
        if isinstance(error, SessionRequired) and login_path is not None and request.method in ("GET", "HEAD"):
            return redirect(_sign_in(login_path, location_of(base_path, request), request.query), cookies=cookies)
        if isinstance(error, StaleSignIn):
            return _sign_in_again(request, error, login_path, base_path)._replace(cookies=cookies)
        from cognito_session.http.error_page import page

        title, text = _PAGES.get(error.status, _PAGES[500])
        found = page(error.status, title, text, link=(login_path, "Sign in") if login_path and error.status == 401 else None)  # noqa: PLR2004
        return found._replace(headers={**found.headers, **_retry(error)}, cookies=cookies)
    return json_response(error.status, error.public_body(), headers=error.public_headers())._replace(cookies=cookies)


def _sign_in_again(request: Request, error: StaleSignIn, login_path: str | None, base_path: str) -> Response:
    """A link to sign in again that returns to this page, or to the page that holds the form."""
    from cognito_session.http.error_page import page

    text = "This action requires a recent sign-in, and yours is older. Nothing was changed."
    link = None
    if login_path is not None:
        if request.method in ("GET", "HEAD"):
            path, query = location_of(base_path, request), request.query
        else:
            path, query = _page_before(request)
        again = f"{login_path}{'&' if '?' in login_path else '?'}prompt=login"
        link = (_sign_in(again, path, query) if path else again, "Sign in again")
    return page(error.status, "Sign in again", text, link=link)


def _page_before(request: Request) -> tuple[str, str]:
    """Path and query of this site's page in Referer; empty if there is none."""
    from urllib.parse import urlsplit

    try:
        came_from = urlsplit(request.header("referer") or "")
    except ValueError:
        return "", ""
    if not came_from.netloc or not (came_from.netloc == request.header("host") or _is_same_origin(request, came_from)):
        return "", ""
    return came_from.path, came_from.query


def _is_same_origin(request: Request, came_from: SplitResult) -> bool:
    """Whether Referer is of the requested site, by Sec-Fetch-Site and Origin: a proxy may have changed Host."""
    same = request.header("sec-fetch-site") == "same-origin"
    return same and request.header("origin") == f"{came_from.scheme}://{came_from.netloc}"


def _retry(error: SessionError) -> dict[str, str]:
    return {name: value for name, value in error.public_headers().items() if name == "Retry-After"}


def _sign_in(login_path: str, path: str, query: str) -> str:
    """The address of the sign-in page with the way back, unless that is too long to store."""
    from urllib.parse import quote

    here = path + (f"?{query}" if query else "")
    if len(here) > MAX_RETURN_TO_CHARS:
        return login_path
    return f"{login_path}{'&' if '?' in login_path else '?'}return_to={quote(here, safe='/', errors='replace')}"
