"""Answer: what a client was told, in one form for a request made here and one made in another process.

end: "served", "signed out", "rejected" (401, with its reason), "unavailable" (503), "misconfigured" (500), or "broken" for
any other exception. cookie: the cookie that the answer sets, None where it leaves the browser's alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cognito_session import ConfigurationError, Rejected, SessionUnavailable

__all__ = ["Answer", "ask"]


class Answer(NamedTuple):
    """An answer; `tokens` are the refresh tokens that Cognito gave the worker on the way."""

    end: str
    reason: str = ""
    cookie: str | None = None
    tokens: tuple[str, ...] = ()

    @property
    def served(self) -> bool:
        """Whether the request was served."""
        return self.end == "served"


def ask(work: Callable[[str], Any], cookie: str) -> Answer:
    """Do `work`, a manager's resolve or sign_out, for a browser with this cookie."""
    try:
        found = work(cookie)
    except SessionUnavailable as error:
        return Answer("unavailable", error.reason, _cookie_of(error.respond()))
    except ConfigurationError as error:
        return Answer("misconfigured", str(error), _cookie_of(error.respond()))
    except Exception as error:
        return Answer("broken", f"{type(error).__name__}: {error}")
    if isinstance(found, Rejected):
        return Answer("rejected", found.reason.value)
    if isinstance(found, tuple):
        return Answer("signed out")
    lines = found.session.set_cookies
    return Answer("served", type(found).__name__, lines[0].partition(";")[0] if lines else None)


def _cookie_of(response: dict[str, Any]) -> str | None:
    """The cookie that an error's answer sets; there must be none."""
    named = {name.lower(): value for name, value in response["headers"].items()}
    return named.get("set-cookie") or next(iter(response.get("cookies", ())), None)
