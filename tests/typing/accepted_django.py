"""A Django author's programs. django-stubs gives the types of Django's own names."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views import View

from cognito_session import Session, SessionManager
from cognito_session.web.django import (
    CognitoSessionMiddleware,
    SessionRequest,
    SessionRequiredMixin,
    aestablish,
    asign_out,
    establish,
    session_manager,
    session_required,
    sign_out,
)

login = SessionManager.from_env().managed_login()


class Profile(SessionRequiredMixin, View):
    """A class-based view."""

    any_group = ["admin"]  # noqa: RUF012 - as Django's own attributes are written
    max_age = 300

    def get(self, request: SessionRequest) -> HttpResponse:
        """With a session."""
        me = request.cognito_session
        return HttpResponse(b"nobody" if me is None else me.sub.encode())


@session_required
def plain(request: SessionRequest, number: int) -> HttpResponse:
    """A function view."""
    return HttpResponse(f"{request.cognito_session} {number}".encode())


@session_required(any_group=["admin"], attribute="cognito_session")
async def guarded(request: SessionRequest) -> HttpResponse:
    """An async one with a guard."""
    me: Session | None = await request.acognito_session()
    return HttpResponse(b"" if me is None else me.sub.encode())


def begin(request: HttpRequest, tokens: dict[str, Any]) -> HttpResponse:
    """Begin and end."""
    me: Session = establish(request, tokens)
    sign_out(request)
    return HttpResponse(f"{me.sub} {session_manager()!r}".encode())


async def abegin(request: HttpRequest, tokens: dict[str, Any]) -> HttpResponse:
    """The same in an async view."""
    me: Session = await aestablish(request, tokens)
    await asign_out(request)
    return HttpResponse(me.sub.encode())


class Other(CognitoSessionMiddleware):
    """A second manager."""

    settings_name = "OTHER_SESSION"
    attribute = "other_session"


def start(request: HttpRequest) -> HttpResponse:
    """Managed login in Django."""
    answer: HttpResponse = login.start(request)
    return answer
