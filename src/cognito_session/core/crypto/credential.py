"""What a cookie proves once its signature or seal has held: who, which session, which generation.

Both kinds of cookie decode into a Credential; everything after that is one path. It answers "authentic?",
never "fresh?": that is the flow's question, asked with `now` in hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cognito_session.core.crypto.access_token import VerifiedToken

__all__ = ["Credential", "SealedCredential", "TokenCredential"]


class TokenCredential(NamedTuple):
    """An authentic access token of this pool and client, expired or not. `sid` is its `origin_jti`."""

    token: VerifiedToken

    @property
    def sub(self) -> str:
        """The user."""
        return self.token.sub

    @property
    def sid(self) -> str:
        """The sign-in that the token descends from."""
        return self.token.origin_jti


class SealedCredential(NamedTuple):
    """An opened sealed cookie: user, session id, generation number."""

    sub: str
    sid: str
    gen: int


Credential = TokenCredential | SealedCredential
