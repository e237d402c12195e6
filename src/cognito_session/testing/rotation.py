"""Refresh tokens and their rotation, as pure rules over time that is passed in.

1. One sign-in is one family. All its tokens share one end of life: a new token lives for what is left of the first.
2. Where rotation is on, a use makes a new token. The used one stays usable for the grace, counted from its first
   use, and is refused as `reused` from then on. A grace of zero ends it with its first use.
3. Look, decide and mark are one locked step: of many uses at the same instant with grace 0, one wins.
AWS documents these; what it leaves open is a `RotationRules` value, so that a test can try every reading.
Source: https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-refresh-token.html
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

__all__ = ["RefreshTokenRefusedError", "RefreshedToken", "RotationRules", "TokenBook", "TokenFamily"]

Reason = Literal["unknown", "expired", "revoked", "reused"]


@dataclass(frozen=True, slots=True)
class RotationRules:
    """What AWS does not document. The defaults are the readings that most simulators take.

    semantics: what a second use within the grace does. "A": another new token, and all of them live. "B": another
    new token, which supersedes its siblings and all that came of them. "C": the same new token again.
    reuse_kills_family: whether a use after the grace revokes every token of the sign-in.
    revoke_scope: whether revoking one token of a family revokes that "token" or the "family".
    origin_jti_changes: whether a refresh gives the access token a new `origin_jti`.
    words: the sentences of refusals by their reason ("unknown", "expired", "revoked", "reused"), where they differ from the
    usual ones: AWS documents none of them.
    """

    semantics: Literal["A", "B", "C"] = "A"
    reuse_kills_family: bool = False
    revoke_scope: Literal["token", "family"] = "family"
    origin_jti_changes: bool = False
    words: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.semantics not in ("A", "B", "C"):
            raise ValueError(f'semantics is "A", "B" or "C", not {self.semantics!r}')
        if self.revoke_scope not in ("token", "family"):
            raise ValueError(f'revoke_scope is "token" or "family", not {self.revoke_scope!r}')
        if not self.words.keys() <= set(get_args(Reason)):
            raise ValueError(f"words are by reason: {', '.join(get_args(Reason))}")


class RefreshTokenRefusedError(Exception):
    """A refresh token that may not be used; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(slots=True, eq=False)
class TokenFamily:
    """One sign-in: `sign_in` is the emulator's own record of it, and no client ever sees it."""

    sign_in: str = field(repr=False)
    client_id: str
    expires_at: float
    auth_time: int = 0
    sub: str = ""
    device_key: str | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class RefreshedToken:
    """A refresh that went well: `refresh_token` is the new one, or None where rotation is off."""

    family: TokenFamily
    refresh_token: str | None = field(repr=False)


@dataclass(slots=True, eq=False)
class _Token:
    text: str = field(repr=False)
    family: TokenFamily
    used_at: float | None = None
    superseded: bool = False
    revoked: bool = False
    children: list["_Token"] = field(default_factory=list)

    def supersede(self) -> None:
        self.superseded = True
        for child in self.children:
            child.supersede()


class TokenBook:
    """Every refresh token that was ever given out. `new_text` makes the text of the next one."""

    def __init__(self, new_text: Callable[[], str]) -> None:
        self._new_text = new_text
        self._tokens: dict[str, _Token] = {}
        self._lock = threading.Lock()

    def issue(self, family: TokenFamily) -> str:
        """The first refresh token of a new sign-in."""
        with self._lock:
            return self._add(family).text

    def find(self, text: str) -> TokenFamily | None:
        """Whose token this is, used up or not; None for one that was never given out."""
        token = self._tokens.get(text)
        return token.family if token else None

    def use(self, text: str, *, now: float, grace_seconds: float | None, rules: RotationRules) -> RefreshedToken:
        """Spend a refresh token. `grace_seconds` is None where rotation is off. Raises RefreshTokenRefusedError."""
        with self._lock:
            token = self._usable(text, now, grace_seconds or 0, rules)
            if grace_seconds is None:
                return RefreshedToken(token.family, None)
            if token.used_at is None:
                token.used_at = now
            return RefreshedToken(token.family, self._successor(token, rules).text)

    def revoke(self, text: str, rules: RotationRules) -> TokenFamily | None:
        """Revoke a token, or with it its family; None for one that was never given out."""
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

    def _usable(self, text: str, now: float, grace_seconds: float, rules: RotationRules) -> _Token:
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

    def _successor(self, token: _Token, rules: RotationRules) -> _Token:
        if rules.semantics == "C" and token.children:
            return token.children[0]
        if rules.semantics == "B":
            for sibling in token.children:
                sibling.supersede()
        child = self._add(token.family)
        token.children.append(child)
        return child

    def _add(self, family: TokenFamily) -> _Token:
        token = _Token(self._new_text(), family)
        self._tokens[token.text] = token
        return token
