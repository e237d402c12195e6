"""A SessionError as an answer: a redirect to sign-in or a page for a person, JSON for a program.

Only a missing session sends anybody to sign in, and only where a page was asked for by a method that changes nothing: a
redirected POST would lose what was posted. A sign-in that is too long ago gets a page with
a link, never a redirect: where the sign-in page does not ask for the password again, a redirect would go round in circles. No
refusal clears a cookie.
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
    401: ("Please sign in", "This page is for people who are signed in."),
    403: ("Not allowed", "Your sign-in does not allow this. If you came from another site, start from this site's own pages."),
    409: ("Changed meanwhile", "Somebody changed this at the same time. Go back, reload and try again."),
    500: ("Not set up right", "This site is not set up right. Its operators have been told in their log."),
    503: ("Please try again", "A service that we depend on did not answer. Nothing has changed: try again in a moment."),
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
    """The answer that `error` stands for; `cookies` are those of a session that was refreshed before it was refused.

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
    """The way to sign in again and back: to this page, or to the page whose form this was."""
    from cognito_session.http.error_page import page

    text = "You are signed in. This action needs you to have signed in a short while ago. Nothing has changed."
    link = None
    if login_path is not None:
        if request.method in ("GET", "HEAD"):
            path, query = location_of(base_path, request), request.query
        else:
            path, query = _page_before(request)
        again = f"{login_path}{'&' if '?' in login_path else '?'}prompt=login"
        link = (_sign_in(again, path, query) if path else again, "Sign in again")
    return page(error.status, "Is it still you?", text, link=link)


def _page_before(request: Request) -> tuple[str, str]:
    """Path and query of the page of this site that a form was on, as Referer says; empty where it does not."""
    from urllib.parse import urlsplit

    try:
        came_from = urlsplit(request.header("referer") or "")
    except ValueError:
        return "", ""
    if not came_from.netloc or not (came_from.netloc == request.header("host") or _is_same_origin(request, came_from)):
        return "", ""
    return came_from.path, came_from.query


def _is_same_origin(request: Request, came_from: SplitResult) -> bool:
    """Whether the browser calls Referer's site the one that it asks, behind a proxy that changes Host."""
    same = request.header("sec-fetch-site") == "same-origin"
    return same and request.header("origin") == f"{came_from.scheme}://{came_from.netloc}"


def _retry(error: SessionError) -> dict[str, str]:
    return {name: value for name, value in error.public_headers().items() if name == "Retry-After"}


def _sign_in(login_path: str, path: str, query: str) -> str:
    """The way to sign in, and back here afterwards; without the way back where that is too long to be kept."""
    from urllib.parse import quote

    here = path + (f"?{query}" if query else "")
    if len(here) > MAX_RETURN_TO_CHARS:
        return login_path
    return f"{login_path}{'&' if '?' in login_path else '?'}return_to={quote(here, safe='/', errors='replace')}"
