"""A model of Cognito's refresh tokens as plain values, with its undocumented behaviour as parameters.

A token is live, retired (spent by rotation, usable within the grace) or dead. What a second use within the grace does is
not documented: A mints another live child each time, B lets the newest child supersede its siblings, C returns the same
child again. Whether reuse kills the family, and whether RevokeToken reaches one token or the family, are parameters too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol.ports import DEVICE_REFUSED, RefreshDenied
from support.tokens import Issuer

SUB = "user-1"
ISSUER = Issuer()


@dataclass(frozen=True)
class PoolRules:
    """One reading of Cognito, and what its sentences tell.

    `fault`: the operator's, from when to when (seconds after the beginning) every refresh is refused in the same unknown words.
    `known_words`: whether the library knows the sentence that a dead token is refused with. `experiment`: whether the control
    experiment works, which tells the two apart.
    """

    rotation: bool = True
    grace: int = 60
    semantics: Literal["A", "B", "C"] = "A"
    revoke: Literal["token", "family"] = "family"
    reuse_kills: bool = False
    life: int = 3600
    origin_changes: bool = False
    fault: tuple[int, int] | None = None
    known_words: bool = True
    experiment: bool = True

    def __str__(self) -> str:
        told = "" if self.fault is None and self.known_words else f", words unknown, experiment {self.experiment}"
        if not self.rotation:
            return f"rotation off{told}"
        kills = (", reuse kills family" if self.reuse_kills else "") + told
        return f"grace {self.grace}, semantics {self.semantics}, revoke reaches {self.revoke}{kills}"


class Grant(NamedTuple):
    """One refresh token."""

    family: str
    status: str
    retired_at: int
    children: tuple[str, ...]


class Pool(NamedTuple):
    """All refresh tokens, and how many access tokens were minted.

    `unconfirmed`: the families whose device Cognito does not accept (never confirmed, or forgotten); empty without tracking.
    """

    grants: tuple[tuple[str, Grant], ...]
    minted: int
    unconfirmed: frozenset[str] = frozenset()

    def find(self, token: str) -> Grant | None:
        for name, grant in self.grants:
            if name == token:
                return grant
        return None

    def put(self, token: str, grant: Grant) -> Pool:
        rest = tuple(pair for pair in self.grants if pair[0] != token)
        return self._replace(grants=tuple(sorted((*rest, (token, grant)))))

    def usable(self, token: str, now: int, rules: PoolRules) -> bool:
        grant = self.find(token)
        if grant is None or grant.status == "dead":
            return False
        return grant.status == "live" or (rules.grace > 0 and now <= grant.retired_at + rules.grace)


def sign_in(pool: Pool, family: str, now: int, rules: PoolRules) -> tuple[Pool, str, str]:
    """A new sign-in: (pool, access token, refresh token)."""
    pool = pool.put(f"rt-{family}", Grant(family, "live", 0, ()))
    return pool._replace(minted=pool.minted + 1), access_token(f"a{pool.minted}", family, now, rules.life), f"rt-{family}"


def refresh(pool: Pool, token: str, now: int, rules: PoolRules) -> tuple[Pool, tuple[str, str | None] | str]:
    """(pool, (access token, refresh token or None) or the error code)."""
    grant = pool.find(token)
    if grant is None or grant.status == "dead":
        return pool, "NotAuthorizedException"
    if grant.family in pool.unconfirmed:
        return pool, DEVICE_REFUSED
    if not pool.usable(token, now, rules):
        return (_kill(pool, grant.family) if rules.reuse_kills else pool), "RefreshTokenReuseException"
    origin = f"{grant.family}-r{pool.minted}" if rules.origin_changes else grant.family
    access = access_token(f"a{pool.minted}", origin, now, rules.life)
    pool = pool._replace(minted=pool.minted + 1)
    if not rules.rotation:
        return pool, (access, None)
    if grant.status == "retired" and rules.semantics == "C":
        return pool, (access, grant.children[0])
    if grant.status == "retired" and rules.semantics == "B":
        for child in grant.children:
            sibling = pool.find(child)
            if sibling is not None:
                pool = pool.put(child, sibling._replace(status="dead"))
    child = f"{token}.{len(grant.children)}"
    retired_at = grant.retired_at if grant.status == "retired" else now
    pool = pool.put(child, Grant(grant.family, "live", 0, ()))
    pool = pool.put(token, Grant(grant.family, "retired", retired_at, (*grant.children, child)))
    return pool, (access, child)


def verdict(code: str, rules: PoolRules) -> RefreshDenied:
    """What the provider makes of the refusal of a dead token."""
    known = code != "NotAuthorizedException" or rules.known_words or rules.experiment
    return RefreshDenied("dead" if known else "unknown", code)


def refused_for_all(seconds: int, rules: PoolRules) -> RefreshDenied | ConfigurationError | None:
    """What the provider makes of the refusal of any token while the operator's fault lasts; None: there is none."""
    if rules.fault is None or not rules.fault[0] <= seconds < rules.fault[1]:
        return None
    return (
        ConfigurationError("every refresh is refused")
        if rules.experiment
        else RefreshDenied("unknown", "NotAuthorizedException")
    )


def revoke(pool: Pool, token: str, rules: PoolRules) -> Pool:
    grant = pool.find(token)
    if grant is None:
        return pool
    if rules.revoke == "family":
        return _kill(pool, grant.family)
    return pool.put(token, grant._replace(status="dead"))


def _kill(pool: Pool, family: str) -> Pool:
    for name, grant in pool.grants:
        if grant.family == family:
            pool = pool.put(name, grant._replace(status="dead"))
    return pool


@lru_cache(maxsize=100_000)
def access_token(jti: str, origin: str, now: int, life: int) -> str:
    """A really signed access token, signed once for each distinct set of claims."""
    return ISSUER.access_token(sub=SUB, jti=jti, origin_jti=origin, iat=now, exp=now + life, auth_time=now)
