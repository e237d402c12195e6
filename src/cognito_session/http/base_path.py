"""The path that an application's address has: a REST API's stage, or where the application is mounted.

What a function sees does not tell it: API Gateway takes the stage off `path` and puts it into `requestContext.path`, whether
the browser came by the API's own domain, by one of yours or through CloudFront (https://github.com/brefphp/bref/pull/799).
So APP_BASE_URL says it, and every path that a browser is sent to is below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cognito_session.http.request import Request

__all__ = ["base_path_of", "below", "location_of"]


def base_path_of(address: str | None) -> str:
    """The path of an address, without a slash at its end: "/prod" of "https://api.example/prod/"."""
    host_and_path = (address or "").partition("://")[2]
    _, slash, path = host_and_path.partition("/")
    return (slash + path).partition("?")[0].partition("#")[0].rstrip("/")


def below(base_path: str, path: str) -> str:
    """`path` as a browser must ask for it; one that is below `base_path` already, or a whole address, stays as it is."""
    if not path.startswith("/") or path.startswith(f"{base_path}/") or path.partition("?")[0] == base_path:
        return path
    return base_path + path


def location_of(base_path: str, request: Request) -> str:
    """The path by which a browser asks for this request's page again.

    A route below "/v1" of a stage "v1" has the path "/v1/users", and only the gateway's own path tells that the stage is
    missing.
    """
    if request.outer_path == base_path + request.path:
        return request.outer_path
    return below(base_path, request.path)
