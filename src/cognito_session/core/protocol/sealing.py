"""Cookie values and secrets at rest, made and opened with the keyring (seal.py), as parts of a flow.

The keyring is a question, because it may come from elsewhere and change while the process lives. A value sealed with a
newer key than ours makes us ask once more; then it is "could not find out", never a refusal and never overwritten.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from cognito_session.core.crypto import aead as seal
from cognito_session.core.crypto.aead import SealKeyUnavailable
from cognito_session.core.crypto.credential import SealedCredential
from cognito_session.core.protocol.steps import Flow, Keyrings, ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.crypto.keyring import Keyring
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.session import Session

__all__ = [
    "current_keyring",
    "open_cookie",
    "open_secret",
    "open_value",
    "seal_cookie",
    "seal_secret",
    "seal_value",
    "sealed_with",
    "with_cookie",
    "with_keyring",
]

A = TypeVar("A")
_NONCE_BYTES = seal.NONCE_BYTES
_AT_HAND = Keyrings()


def open_cookie(context: FlowContext, text: str) -> Flow[SealedCredential]:
    """The credential in a sealed cookie. Raises TokenError or SealKeyUnavailable."""
    return (
        yield from with_keyring(
            lambda ring: seal.open_cookie(
                ring, text, pool=_pool(context), client_id=_client(context), cookie_name=context.cookie.name
            )
        )
    )


def seal_cookie(context: FlowContext, credential: SealedCredential) -> Flow[str]:
    """A fresh cookie value for the credential."""
    ring = yield from ask(_AT_HAND)
    return seal.seal_cookie(
        ring,
        credential,
        pool=_pool(context),
        client_id=_client(context),
        cookie_name=context.cookie.name,
        nonce=context.entropy(_NONCE_BYTES),
    )


def open_secret(context: FlowContext, stored: str, *, sub: str, sid: str, attribute: str, plain: bool = False) -> Flow[str]:
    """A stored secret as plain text.

    With keys a plain one is tampering, unless the policy accepts it or the caller does (`plain`), which then cannot be served
    from it. Raises as open_cookie does.
    """
    if context.seals and not (plain or context.takes_plain or seal.is_sealed(stored)):
        raise seal.InvalidSeal(f"attribute {attribute}: expected a sealed text, because SESSION_KEYS are set")
    opened = _open_access_token if attribute == "access_token" else seal.open_secret
    if not context.seals:
        return opened(None, stored, pool=_pool(context), client_id=_client(context), sub=sub, sid=sid, attribute=attribute)
    return (
        yield from with_keyring(
            lambda ring: opened(
                ring, stored, pool=_pool(context), client_id=_client(context), sub=sub, sid=sid, attribute=attribute
            )
        )
    )


_open_access_token = lru_cache(maxsize=512)(seal.open_secret)
"""A session's requests open the same text again and again. Of access tokens only, which `parse` keeps in any case."""


def seal_secret(context: FlowContext, secret: str, *, sub: str, sid: str, attribute: str) -> Flow[str]:
    """The secret as it is stored: sealed where keys are configured, else plainly as the seed stores it."""
    return sealed_with(context, (yield from current_keyring(context)), secret, sub=sub, sid=sid, attribute=attribute)


def current_keyring(context: FlowContext) -> Flow[Keyring | None]:
    """The keyring, for a secret that must not wait for it later; None where secrets are not sealed."""
    return (yield from ask(_AT_HAND)) if context.seals else None


def sealed_with(context: FlowContext, ring: Keyring | None, secret: str, *, sub: str, sid: str, attribute: str) -> str:
    """The secret as it is stored, sealed with a keyring that was read before; nothing is asked."""
    if ring is None:
        return secret
    return seal.seal_secret(
        ring,
        secret,
        pool=_pool(context),
        client_id=_client(context),
        sub=sub,
        sid=sid,
        attribute=attribute,
        nonce=context.entropy(_NONCE_BYTES),
    )


def seal_value(context: FlowContext, plaintext: bytes, *, purpose: str, bound_to: tuple[str, ...] = ()) -> Flow[str]:
    """Anything else that the browser keeps for us, to be opened with the same purpose and context only.

    Raises ConfigurationError where there are no keys.
    """
    ring = yield from ask(_AT_HAND)
    whole = (_pool(context), _client(context), *bound_to)
    return seal.seal(ring, plaintext, purpose=purpose, bound_to=whole, nonce=context.entropy(_NONCE_BYTES))


def open_value(context: FlowContext, text: str, *, purpose: str, bound_to: tuple[str, ...] = ()) -> Flow[bytes]:
    """What was sealed by `seal_value`. Raises as open_cookie does."""
    whole = (_pool(context), _client(context), *bound_to)
    return (yield from with_keyring(lambda ring: seal.open_sealed(ring, text, purpose=purpose, bound_to=whole)))


def with_keyring(use: Callable[[Keyring], A], held: Keyring | None = None) -> Flow[A]:
    """What `use` makes of the keyring, or of the one `held`; asked once more where a value names a newer key.

    Raises as `use` does.
    """
    try:
        return use(held if held is not None else (yield from ask(_AT_HAND)))
    except SealKeyUnavailable:
        return use((yield from ask(Keyrings(newer=True))))


def _pool(context: FlowContext) -> str:
    return context.rules.user_pool_id


def _client(context: FlowContext) -> str:
    return context.rules.client_id


def with_cookie(context: FlowContext, session: Session, generation: int) -> Flow[Session]:
    """The session, telling the browser to keep its current cookie until the session's absolute end."""
    now = context.now()
    end = session.session_expires_at
    last = context.policy.absolute_end(now) if end is None else end
    value = session.access_token
    if context.sealed_cookie:
        value = yield from seal_cookie(context, SealedCredential(session.sub, session.sid, generation))
    return replace(session, set_cookies=(context.cookie.set_line(value, max_age_seconds=last - now),))
