"""Rotation of refresh tokens: pure rules that take the time as an argument. The test pool and the local stack share them.

1. One sign-in is one family. All its tokens expire together: a new token lasts for the remaining life of the first one.
2. If rotation is on, each use creates a new token. The used one stays valid for the grace period, which starts at its first
   use. After that it is refused as `reused`. A grace period of zero ends it at its first use.
3. Lookup, decision and mark happen under one lock: of many simultaneous uses with a grace period of zero, one succeeds.
AWS documents these rules. `RotationRules` covers what AWS leaves open, so that a test can try every interpretation.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-refresh-token.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, Protocol, TypeVar, get_args

__all__ = [
    "REFUSALS",
    "Reason",
    "RefreshToken",
    "RefreshTokenRefusedError",
    "RefreshedToken",
    "RotationRules",
    "TokenBook",
    "TokenFamily",
]

Reason = Literal["unknown", "expired", "revoked", "reused"]

REFUSALS: Final[Mapping[Reason, tuple[str, str]]] = {
    "unknown": ("NotAuthorizedException", "Invalid Refresh Token"),
    "expired": ("NotAuthorizedException", "Refresh Token has expired"),
    "revoked": ("NotAuthorizedException", "Refresh Token has been revoked"),
    # AWS documents the code, not the text.
    "reused": ("RefreshTokenReuseException", "Refresh token has been invalidated by refresh token rotation"),
}
"""Error code and message of each refusal. The messages are the ones observed from AWS, if known."""


@dataclass(frozen=True, slots=True)
class RotationRules:
    """What AWS does not document. The defaults are the interpretations that most simulators use.

    semantics: what a second use within the grace period does. "A": it creates another new token, and all of them work. "B":
    it creates another new token, which invalidates the earlier ones and their descendants. "C": it returns the same new token.
    reuse_kills_family: whether a use after the grace period revokes every token of the sign-in.
    revoke_scope: whether revoking one token revokes that "token" or its "family".
    origin_jti_changes: whether a refresh gives the access token a new `origin_jti`.
    words: the message of a refusal by its reason ("unknown", "expired", "revoked", "reused"), to replace the usual one.
    """

    semantics: Literal["A", "B", "C"] = "A"
    reuse_kills_family: bool = False
    revoke_scope: Literal["token", "family"] = "family"
    origin_jti_changes: bool = False
    words: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.semantics not in ("A", "B", "C"):
            raise ValueError(f'semantics: expected "A", "B" or "C", not {self.semantics!r}')
        if self.revoke_scope not in ("token", "family"):
            raise ValueError(f'revoke_scope: expected "token" or "family", not {self.revoke_scope!r}')
        if not self.words.keys() <= set(get_args(Reason)):
            raise ValueError(f"words: expected reasons as keys: {', '.join(get_args(Reason))}")


class RefreshTokenRefusedError(Exception):
    """The refresh token cannot be used; `reason` is a key of REFUSALS."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class TokenFamily(Protocol):
    """One sign-in, which all its refresh tokens share. `expires_at`: epoch seconds."""

    expires_at: float
    revoked: bool


F = TypeVar("F", bound=TokenFamily)


@dataclass(frozen=True, slots=True)
class RefreshedToken(Generic[F]):
    """A successful use. `refresh_token`: the new one, or None if rotation is off."""

    family: F
    refresh_token: str | None = field(repr=False)


@dataclass(slots=True, eq=False)
class RefreshToken(Generic[F]):
    """The state of one token. `children`: the texts of the tokens that its uses created."""

    family: F = field(repr=False)
    used_at: float | None = None
    superseded: bool = False
    revoked: bool = False
    children: list[str] = field(default_factory=list, repr=False)


class TokenBook(Generic[F]):
    """Every refresh token that was issued. `new_text` makes the text of the next one; `tokens` holds them by text."""

    def __init__(self, new_text: Callable[[], str], tokens: dict[str, RefreshToken[F]] | None = None) -> None:
        self._new_text = new_text
        self._tokens = {} if tokens is None else tokens
        self._lock = threading.Lock()

    def issue(self, family: F) -> str:
        """The first refresh token of a new sign-in."""
        with self._lock:
            return self._add(family)

    def find(self, text: str) -> F | None:
        """The family of a token, used or not; None if it was never issued."""
        token = self._tokens.get(text)
        return token.family if token else None

    def check(self, text: str, *, now: float, grace_seconds: float | None, rules: RotationRules) -> None:
        """Check a token as `use` does, without using it. Raises RefreshTokenRefusedError."""
        with self._lock:
            self._usable(text, now, grace_seconds or 0, rules)

    def use(self, text: str, *, now: float, grace_seconds: float | None, rules: RotationRules) -> RefreshedToken[F]:
        """Use a refresh token. `grace_seconds`: None if rotation is off. Raises RefreshTokenRefusedError."""
        with self._lock:
            token = self._usable(text, now, grace_seconds or 0, rules)
            if grace_seconds is None:
                return RefreshedToken(token.family, None)
            if token.used_at is None:
                token.used_at = now
            return RefreshedToken(token.family, self._successor(token, rules))

    def revoke(self, text: str, rules: RotationRules) -> F | None:
        """Revoke a token, or its whole family; None if it was never issued."""
        with self._lock:
            token = self._tokens.get(text)
            if token is None:
                return None
            token.revoked = True
            token.family.revoked |= rules.revoke_scope == "family"
            return token.family

    def clear(self) -> None:
        """Forget every token."""
        with self._lock:
            self._tokens.clear()

    def _usable(self, text: str, now: float, grace_seconds: float, rules: RotationRules) -> RefreshToken[F]:
        token = self._tokens.get(text)
        if token is None:
            raise RefreshTokenRefusedError("unknown")
        if token.revoked or token.family.revoked:
            raise RefreshTokenRefusedError("revoked")
        if now >= token.family.expires_at:
            raise RefreshTokenRefusedError("expired")
        if token.superseded or (token.used_at is not None and now - token.used_at >= grace_seconds):
            token.family.revoked |= rules.reuse_kills_family
            raise RefreshTokenRefusedError("reused")
        return token

    def _successor(self, token: RefreshToken[F], rules: RotationRules) -> str:
        if rules.semantics == "C" and token.children:
            return token.children[0]
        if rules.semantics == "B":
            self._supersede(token.children)
        child = self._add(token.family)
        token.children.append(child)
        return child

    def _supersede(self, texts: list[str]) -> None:
        """Invalidate these tokens and their descendants; a loop, because a chain can be longer than the call stack."""
        waiting = list(texts)
        while waiting:
            token = self._tokens[waiting.pop()]
            token.superseded = True
            waiting += token.children

    def _add(self, family: F) -> str:
        text = self._new_text()
        self._tokens[text] = RefreshToken(family)
        return text
