"""A Django author's mistakes: each marked line must be refused, and no other."""

from __future__ import annotations

from typing import Any

from cognito_session.web.django import SessionRequest, SessionRequiredMixin, aestablish, establish, session_required


@session_required(group="admin")  # refused
def unknown_guard(_request: SessionRequest) -> str:
    """A guard that does not exist."""
    return ""


@session_required(max_age="300")  # refused
def wrong_guard(_request: SessionRequest) -> str:
    """A guard of the wrong type."""
    return ""


class Profile(SessionRequiredMixin):
    """A class-based view."""

    max_age = "300"  # refused


def unchecked(request: SessionRequest) -> str:
    """There may be nobody."""
    return request.cognito_session.sub  # refused


async def begin(request: Any) -> str:
    """Nothing of it is awaited, or it has no such thing."""
    print(aestablish(request, {}).sub)  # refused
    return establish(request, {}).email  # refused
