"""The claims of access and ID tokens, as in Cognito's tokens.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from cognito_session.testing.pool_state import PoolUser, SignIn

__all__ = ["API_SCOPE", "TokenIssue"]

API_SCOPE: Final = "aws.cognito.signin.user.admin"
"""The scope of a sign-in through the user pools API (not managed login)."""


class TokenIssue(NamedTuple):
    """The user, sign-in, issuer and time of one issue of tokens. Instants are epoch seconds."""

    account: PoolUser
    sign_in: SignIn
    issuer: str
    client_id: str
    issued_at: int
    expires_at: int
    event_id: str

    def access_token(self, jti: str) -> dict[str, Any]:
        """The access token's claims; those of the sign-in replace them, as a pre token generation trigger does."""
        by_managed_login = self.sign_in.scopes != (API_SCOPE,)
        return {
            **self._common(),
            **({"version": 2} if by_managed_login else {}),
            "client_id": self.client_id,
            "token_use": "access",
            "scope": " ".join(self.sign_in.scopes),
            "jti": jti,
            "username": self.account.username,
            **({"device_key": self.sign_in.device_key} if self.sign_in.device_key else {}),
            **self.sign_in.claims,
        }

    def id_token(self, jti: str, **of_the_code: str) -> dict[str, Any]:
        """The ID token's claims, with `nonce` and `at_hash` if the sign-in used an authorization code."""
        return {
            **self._common(),
            **self.account.attributes,
            "email_verified": True,
            "cognito:username": self.account.username,
            "aud": self.client_id,
            "token_use": "id",
            "jti": jti,
            **of_the_code,
        }

    def _common(self) -> dict[str, Any]:
        return {
            "sub": self.account.sub,
            **({"cognito:groups": list(self.account.groups)} if self.account.groups else {}),
            "iss": self.issuer,
            "origin_jti": self.sign_in.origin_jti,
            "event_id": self.event_id,
            "auth_time": self.sign_in.auth_time,
            "exp": self.expires_at,
            "iat": self.issued_at,
        }
