"""The application as Django's: below its WSGI and its ASGI handler, with views of either kind.

Settings belong to the process. They are changed while a request is under way and given back after it, so that another file's
project may be served in between.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.test import override_settings
from django.urls import path as url

from cognito_session.web import django as ours
from doors.lambda_doors import Build
from doors.page import GUARDS, LOGIN, ROUTES, Said, Site, say
from doors.wires import Ask, asgi, wsgi

__all__ = ["django_door"]

if not settings.configured:
    settings.configure(LOGGING_CONFIG=None, SECRET_KEY="django's own")
    django.setup()


class _Urls:
    """A project's URLconf."""

    def __init__(self, site: Site, *, async_views: bool) -> None:
        self.urlpatterns = [url(path[1:], _view(site, path, asynchronous=async_views)) for path in ROUTES]


def django_door(*, under_asgi: bool, async_views: bool) -> Build:
    """The middleware and its decorator, on views of one kind below a handler of one kind."""

    def build(site: Site) -> Ask:
        manager = site.async_manager if async_views else site.manager
        project = override_settings(
            ROOT_URLCONF=_Urls(site, async_views=async_views),
            MIDDLEWARE=["cognito_session.web.django.CognitoSessionMiddleware"],
            COGNITO_SESSION={"MANAGER": manager, "LOGIN_PATH": LOGIN},
            ALLOWED_HOSTS=["*"],
        )
        with project:
            through = asgi(get_asgi_application()) if under_asgi else wsgi(get_wsgi_application())
        return _within(project, through)

    return build


def _within(project: override_settings, through: Ask) -> Ask:
    """The first of parallel requests changes the settings, the last one changes them back."""
    lock, inside = threading.Lock(), []

    @contextmanager
    def in_force() -> Iterator[None]:
        with lock:
            if not inside:
                project.enable()
            inside.append(True)
        try:
            yield
        finally:
            with lock:
                inside.pop()
                if not inside:
                    project.disable()

    def ask(call: Any) -> Any:
        with in_force():
            return through(call)

    return ask


def _view(site: Site, path: str, *, asynchronous: bool) -> Any:
    need = ROUTES[path][0]

    def view(request: HttpRequest) -> HttpResponse:
        if path == "/sign-in":
            ours.establish(request, site.box.tokens)
        if path == "/sign-out":
            ours.sign_out(request)
        me = request.cognito_session if need is not None else None
        return _respond(request, say(site, path, me, request.body.decode()))

    async def coroutine(request: HttpRequest) -> HttpResponse:
        if path == "/sign-in":
            await ours.aestablish(request, site.box.tokens)
        if path == "/sign-out":
            await ours.asign_out(request)
        me = await request.acognito_session() if need is not None else None
        return _respond(request, say(site, path, me, request.body.decode()))

    chosen = coroutine if asynchronous else view
    return chosen if need in (None, "optional") else ours.session_required(**GUARDS.get(need, {}))(chosen)


def _respond(request: HttpRequest, said: Said) -> HttpResponse:
    if said.missing:
        raise Http404
    if said.location:
        return HttpResponseRedirect(said.location)
    if said.parts:
        # Django warns where a handler of one kind is given an iterator of the other.
        parts = _slowly(said.parts) if hasattr(request, "scope") else iter(said.parts)
        return StreamingHttpResponse(parts, status=said.status, headers=said.headers)
    headers = dict(said.headers)
    own = headers.pop("Set-Cookie", None)
    response = HttpResponse(said.body, status=said.status, headers=headers)
    if own is not None:
        response.cookies.load(own)
    return response


async def _slowly(parts: tuple[str, ...]) -> AsyncIterator[str]:
    for part in parts:
        yield part
