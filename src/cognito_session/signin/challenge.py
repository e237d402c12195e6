"""Challenge: what a sign-in that is not finished must remember, in a sealed, short-lived cookie.

Cognito's `Session` is as good as half a password: it stays with us and no page ever holds it. One cookie per browser, so
of two sign-ins in two tabs the later one is what counts; the earlier one's answer is then an answer to the later one's
challenge, or refused where the form names its challenge. That a cookie is used twice is Cognito's to notice: a Session
brings one sign-in. No answer but a sign-in removes the cookie: a late one would remove that of the next challenge.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.core.cookie import MAX_COOKIE_BYTES, Cookie
from cognito_session.core.errors import ConfigurationError, SessionUnavailable, TokenError
from cognito_session.core.protocol.sealing import open_value, seal_value
from cognito_session.core.protocol.steps import Flow, Report, ask
from cognito_session.core.redact import redacted_repr
from cognito_session.signin.outcome import Prompt

if TYPE_CHECKING:
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.protocol.context import FlowContext

__all__ = [
    "CHALLENGE_SECONDS",
    "Challenge",
    "challenge_cookie",
    "check_seals",
    "find_challenge",
    "forgetting",
    "keep_challenge",
]

CHALLENGE_SECONDS: Final = 15 * 60
"""Cognito's longest AuthSessionValidity."""
_PURPOSE: Final = "challenge"
_FORGED: Final = Report("cookie_refused", "", None, "challenge cookie", limited=True)


class Challenge(NamedTuple):
    """One challenge under way. `username` is what its answer must name (an alias will not do), `account` what was typed in;
    `answers` is the ChallengeName that Cognito wants to hear, which for a password chosen in SELECT_CHALLENGE is still that.
    `changed_at`: since when (epoch seconds) a change of the account on this way ends the user's other sessions.
    """

    name: str
    answers: str
    username: str
    account: str
    session: str
    expires_at: int
    prompt: Prompt = Prompt()
    changed_at: int | None = None

    def __repr__(self) -> str:
        return redacted_repr(self, "session")


def challenge_cookie(context: FlowContext) -> Cookie:
    """The cookie of a sign-in that Cognito asked more of."""
    return context.cookie.beside("challenge")


def check_seals(context: FlowContext) -> None:
    """Raise ConfigurationError where there are no keys to seal a challenge with."""
    if not context.seals:
        raise ConfigurationError(
            "SESSION_KEYS is not set: a second step of a sign-in (codes, authenticator apps, new passwords, passkeys) is kept"
            " in a sealed cookie. `cognito-session keys new` prints an entry; or name a secret in SESSION_SECRET_ARN"
        )


def keep_challenge(context: FlowContext, challenge: Challenge) -> Flow[str]:
    """The Set-Cookie value that keeps it. A passkey's request is left out where it is too long; the browser has it already.

    Raises ConfigurationError without keys, and where Cognito's Session is longer than a cookie can be.
    """
    check_seals(context)
    cookie = challenge_cookie(context)
    for prompt in (challenge.prompt, challenge.prompt._replace(credential_request=None)):
        text = _text(challenge._replace(prompt=prompt))
        if len(text) > MAX_COOKIE_BYTES:  # sealed it is longer still, and beyond a limit it cannot be sealed
            continue
        sealed = yield from seal_value(context, text, purpose=_PURPOSE, bound_to=(cookie.name,))
        if len(cookie.name) + len(sealed) <= MAX_COOKIE_BYTES:
            return cookie.set_line(sealed, max_age_seconds=CHALLENGE_SECONDS)
    raise ConfigurationError(
        f"cookie {cookie.name}: a challenge does not fit into {MAX_COOKIE_BYTES} bytes, which is what browsers keep: expected"
        " Cognito's Session to have at most 2,048 characters; a shorter cookie_name may help"
    )


def find_challenge(context: FlowContext, headers: CookieHeaders) -> Flow[Challenge | None]:
    """The challenge of this browser; None for a cookie that is missing, forged, another app's or over, or for two of them.

    Raises SessionUnavailable where it was sealed with a key that this worker has not received yet.
    """
    check_seals(context)
    cookie = challenge_cookie(context)
    found: list[Challenge] = []
    outage: SessionUnavailable | None = None
    for value in cookie.candidates(headers).values:
        try:
            opened = yield from open_value(context, value, purpose=_PURPOSE, bound_to=(cookie.name,))
        except TokenError:
            yield from ask(_FORGED)
            continue
        except SessionUnavailable as error:
            outage = error
            continue
        found.append(_parsed(opened))
    if not found and outage is not None:
        raise outage
    return found[0] if len(found) == 1 and context.now() < found[0].expires_at else None


def forgetting(context: FlowContext, headers: CookieHeaders) -> tuple[str, ...]:
    """The Set-Cookie value that removes the cookie, where the browser has one."""
    cookie = challenge_cookie(context)
    seen = cookie.candidates(headers)
    return (cookie.delete_line(),) if seen.values or seen.malformed else ()


def _text(challenge: Challenge) -> bytes:
    shown = {name: value for name, value in challenge.prompt._asdict().items() if value}
    return json.dumps([*challenge[:6], shown, challenge.changed_at], separators=(",", ":"), ensure_ascii=False).encode()


def _parsed(opened: bytes) -> Challenge:
    """Later versions may append members; readers pass over them."""
    members: list[Any] = json.loads(opened)
    name, answers, username, account, session, expires_at, shown = members[:7]
    changed_at = members[7] if len(members) > 7 else None  # noqa: PLR2004 - an earlier version's has seven
    known: dict[str, Any] = {each: value for each, value in shown.items() if each in Prompt._fields}
    lists = {each: tuple(value) for each, value in known.items() if isinstance(value, list)}
    return Challenge(name, answers, username, account, session, expires_at, Prompt(**{**known, **lists}), changed_at)
