"""Transaction: what one sign-in must remember between leaving for managed login and coming back.

Each flow has a cookie of its own, named by its state, so that several tabs can sign in at once: at most five, and no more than
the Cookie header has room for; the oldest goes. The cookie is sealed, short-lived and SameSite=Lax: it comes along when
Cognito's page sends the browser back, which Strict would withhold. A browser that comes back without it has not started the
flow (RFC 9700 4.7.1).
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.core.cookie import MAX_COOKIE_BYTES, Cookie
from cognito_session.core.crypto.encoding import to_base64url
from cognito_session.core.errors import SessionUnavailable, TokenError
from cognito_session.core.protocol.sealing import open_value, seal_value
from cognito_session.core.protocol.steps import Flow, Report, ask
from cognito_session.core.redact import redacted_repr
from cognito_session.signin.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cognito_session.core.protocol.context import FlowContext

__all__ = [
    "PROMPTED",
    "RESTARTED",
    "TRANSACTION_SECONDS",
    "Transaction",
    "find_transaction",
    "forgotten_transactions",
    "keep_transaction",
    "newest_transaction",
    "transaction_cookie",
    "was_prompted",
    "was_restarted",
]

TRANSACTION_SECONDS: Final = 15 * 60
_AT_ONCE: Final = 5
_MAX_KEPT_CHARS: Final = 6_000
"""All of them together: some servers take 8 kB for the whole Cookie header (gunicorn, nginx), API Gateway 10 kB for all."""
_PURPOSE: Final = "sign-in"
_FORGED: Final = Report("cookie_refused", "", None, "sign-in cookie", limited=True)
RESTARTED: Final = "r"
PROMPTED: Final = "p"
"""The prefixes of a state whose flow was started again: by itself, or with a prompt for the password."""
_STATE: Final = re.compile(r"[rp]?[0-9a-f]{32}")
_MAX_HEADER_CHARS: Final = 65_536
_MAX_PAIRS: Final = 200
_EXAMINED: Final = 20


class Transaction(NamedTuple):
    """One sign-in under way. `state` and `nonce` go to Cognito, the PKCE `verifier` never leaves (RFC 7636 4.1)."""

    state: str
    nonce: str
    verifier: str
    return_to: str
    began_at: int
    entry: Entry = Entry()

    def __repr__(self) -> str:
        return redacted_repr(self, "state", "nonce", "verifier", "entry")

    @classmethod
    def begun(cls, context: FlowContext, return_to: str, entry: Entry = Entry(), *, mark: str = "") -> Transaction:  # noqa: B008 - a value
        """A new one: 128 random bits of state, 128 of nonce, 256 of verifier. `mark`: RESTARTED, PROMPTED or neither."""
        state = mark + context.fresh_id()
        begun = cls(state, context.fresh_id(), to_base64url(context.entropy(32)), return_to, context.now(), entry)
        if _chars(context, begun) > MAX_COOKIE_BYTES:  # a long page and a long hint together: a restart can do without the hint
            return begun._replace(entry=entry._replace(login_hint=None))
        return begun

    @classmethod
    def of_text(cls, text: bytes) -> Transaction:
        """The transaction that `text` says, also where a version without entries wrote it."""
        state, nonce, verifier, return_to, began_at, *more = json.loads(text)
        return cls(state, nonce, verifier, return_to, began_at, Entry.of_kept(more[0]) if more else Entry())

    @property
    def text(self) -> str:
        """What is sealed in the cookie."""
        return json.dumps((*self[:5], self.entry.kept()), separators=(",", ":"), ensure_ascii=False)

    @property
    def challenge(self) -> str:
        """PKCE's S256 challenge (RFC 7636 4.2)."""
        return to_base64url(sha256(self.verifier.encode("ascii")).digest())

    def is_over(self, now: int) -> bool:
        """Whether its time has passed."""
        return not self.began_at <= now < self.began_at + TRANSACTION_SECONDS


def was_restarted(state: object) -> bool:
    """Whether a state, forged or not, says that its flow was already started again: that happens once."""
    return isinstance(state, str) and state.startswith((RESTARTED, PROMPTED))


def was_prompted(state: str) -> bool:
    """Whether the flow was started again with a prompt for the password: then another prompt cannot help."""
    return state.startswith(PROMPTED)


def newest_transaction(context: FlowContext, cookie_headers: Sequence[str]) -> Flow[Transaction | None]:
    """The newest sign-in under way in this browser; None where none is under way."""
    newest: Transaction | None = None
    for state in _states(context, cookie_headers):
        found = yield from _opened(context, state, cookie_headers)
        if found is not None and not found.is_over(context.now()) and (newest is None or found.began_at >= newest.began_at):
            newest = found
    return newest


def transaction_cookie(context: FlowContext, state: str) -> Cookie:
    """The cookie of the flow with this state. `state` must have our form."""
    return Cookie(_prefix(context) + state)  # Lax whatever the session's is: it must come along from Cognito's page


def keep_transaction(context: FlowContext, transaction: Transaction, cookie_headers: Sequence[str]) -> Flow[tuple[str, ...]]:
    """The Set-Cookie values that keep this one and drop what is over, and the oldest beyond five or beyond 6,000 characters."""
    sealed = yield from seal_value(context, transaction.text.encode(), purpose=_PURPOSE, bound_to=(transaction.state,))
    lines = [transaction_cookie(context, transaction.state).set_line(sealed, max_age_seconds=TRANSACTION_SECONDS)]
    alive: list[tuple[int, str, int]] = []
    for state in _states(context, cookie_headers):
        found = yield from _opened(context, state, cookie_headers)
        if found is None or found.is_over(context.now()):
            lines.append(transaction_cookie(context, state).delete_line())
        else:
            alive.append((found.began_at, state, _chars(context, found)))
    room, surplus = _MAX_KEPT_CHARS - _chars(context, transaction), []
    for place, (_, state, chars) in enumerate(sorted(alive, reverse=True), start=1):
        room -= chars
        if place >= _AT_ONCE or room < 0:
            surplus.append(state)
    return (*lines, *(transaction_cookie(context, state).delete_line() for state in surplus))


def _chars(context: FlowContext, transaction: Transaction) -> int:
    """About how long its cookie is: base64 of what is sealed, the seal, the name."""
    return len(transaction.text.encode()) * 4 // 3 + len(_prefix(context)) + 128


def find_transaction(context: FlowContext, state: object, cookie_headers: Sequence[str]) -> Flow[Transaction | None]:
    """The flow that this browser began with this state, over or not; None where it began none.

    Raises SessionUnavailable where it was sealed with a key that this worker has not received yet.
    """
    if not isinstance(state, str) or not _STATE.fullmatch(state):
        return None
    return (yield from _opened(context, state, cookie_headers, outage=True))


def forgotten_transactions(context: FlowContext, cookie_headers: Sequence[str]) -> tuple[str, ...]:
    """The Set-Cookie values that delete the cookies of every flow that this browser has begun."""
    return tuple(transaction_cookie(context, state).delete_line() for state in _states(context, cookie_headers))


def _opened(
    context: FlowContext, state: str, cookie_headers: Sequence[str], *, outage: bool = False
) -> Flow[Transaction | None]:
    for value in transaction_cookie(context, state).candidates(cookie_headers).values:
        try:
            text = yield from open_value(context, value, purpose=_PURPOSE, bound_to=(state,))
        except TokenError:
            yield from ask(_FORGED)
            continue
        except SessionUnavailable:
            if outage:
                raise
            continue
        found = Transaction.of_text(text)
        if compare_digest(found.state, state):
            return found
    return None


def _states(context: FlowContext, cookie_headers: Sequence[str]) -> list[str]:
    """The states of the flows whose cookies the browser sent."""
    prefix = _prefix(context)
    found: dict[str, None] = {}
    for header in cookie_headers:
        if len(header) <= _MAX_HEADER_CHARS and prefix in header:
            names = (part.strip(" \t").partition("=")[0] for part in header.split(";", _MAX_PAIRS)[:_MAX_PAIRS])
            found |= dict.fromkeys(name[len(prefix) :] for name in names if name.startswith(prefix))
    return [state for state in found if _STATE.fullmatch(state)][:_EXAMINED]


def _prefix(context: FlowContext) -> str:
    """Named after the session's cookie, and always with the prefix that no other host can write (rfc6265bis 4.1.3.2)."""
    name = context.cookie.name
    return f"{name if name.startswith('__Host-') else f'__Host-{name}'}-flow-"
