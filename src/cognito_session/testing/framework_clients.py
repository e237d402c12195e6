"""The test client of an application's framework, signed in, over https so that it sends `__Host-` cookies.

The application's type determines the framework; nothing is imported before that. Requests come from the application's own
pages.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.testing.cookie_jar import StoredCookie

__all__ = ["client_of"]

Cookies = list["StoredCookie"]
_SITE: Final = "same-origin"


def client_of(app: Any, origin: str, cookies: Cookies) -> Any:
    """A client for an application of Starlette, FastAPI, Flask or Django. Raises TypeError for any other.

    For Django, pass the WSGI or ASGI handler, or the class or an object of `django.test.Client` or `AsyncClient`. Any other
    ASGI application gets Starlette's client.
    """
    found = app if isinstance(app, type) else type(app)
    for base in found.__mro__:
        shared = base.__module__.startswith("flask.sansio")  # Quart has these bases too, but is an ASGI application
        make = None if shared else _CLIENTS.get(base.__module__.partition(".")[0])
        if make is not None:
            return make(app, origin, cookies)
    if _is_asgi(app):
        return _starlette(app, origin, cookies)
    raise TypeError(f"client: expected an application of Starlette, FastAPI, Flask or Django, not {found.__name__}")


def _starlette(app: Any, origin: str, cookies: Cookies) -> Any:
    with warnings.catch_warnings():  # the warnings are about the HTTP library of Starlette's client
        warnings.simplefilter("ignore")
        testclient = import_module("starlette.testclient")
    base: Any = testclient.TestClient
    netloc = urlsplit(origin).netloc

    class SecureClient(base):  # type: ignore[misc] # of whichever HTTP library
        """As Starlette's, which opens sockets of a host of its own, without TLS: no cookie of the application goes there."""

        def websocket_connect(self, url: str, *args: Any, **keywords: Any) -> Any:
            """As there, at the application's address."""
            return super().websocket_connect(urljoin(f"wss://{netloc}", url), *args, **keywords)

    client = SecureClient(app, base_url=origin, headers={"sec-fetch-site": _SITE})
    host = urlsplit(origin).hostname or ""
    for each in cookies:
        client.cookies.set(each.name, each.value, domain=host if "." in host else f"{host}.local", path=each.path)
    return client


def _flask(app: Any, origin: str, cookies: Cookies) -> Any:
    testing = import_module("flask.testing")
    base: Any = app.test_client_class or testing.FlaskClient

    class HttpsClient(base):  # type: ignore[misc] # whichever class the application asks for
        """The application's own test client, at its https address."""

        def open(self, *args: Any, **keywords: Any) -> Any:
            """As there."""
            if not args or isinstance(args[0], str):
                keywords.setdefault("base_url", origin)
            return super().open(*args, **keywords)

    client = HttpsClient(app, app.response_class, use_cookies=True)
    client.environ_base["HTTP_SEC_FETCH_SITE"] = _SITE
    for each in cookies:
        client.set_cookie(each.name, each.value, domain=urlsplit(origin).hostname, path=each.path, secure=True)
    return client


def _django(app: Any, origin: str, cookies: Cookies) -> Any:  # noqa: ARG001 - its tests allow the host "testserver"
    test = import_module("django.test")
    kind = app if isinstance(app, type) else type(app)
    asynchronous = issubclass(kind, test.AsyncClient) or "asgi" in kind.__module__
    base: Any = test.AsyncClient if asynchronous else test.Client

    class SecureClient(base):  # type: ignore[misc] # one of two
        """As Django's, always over https."""

        def generic(self, *args: Any, **keywords: Any) -> Any:
            """As there."""
            return super().generic(*args, **{**keywords, "secure": True})

    client = SecureClient(headers={"sec-fetch-site": _SITE})
    for each in cookies:
        client.cookies[each.name] = each.value
        client.cookies[each.name]["path"] = each.path
    return client


def _is_asgi(app: Any) -> bool:
    from inspect import iscoroutinefunction

    call = app if iscoroutinefunction(app) else getattr(app, "__call__", None)  # noqa: B004 - an object's method counts too
    return iscoroutinefunction(call)


_CLIENTS: Final[dict[str, Callable[[Any, str, Cookies], Any]]] = {
    "starlette": _starlette,
    "fastapi": _starlette,
    "flask": _flask,
    "django": _django,
}
