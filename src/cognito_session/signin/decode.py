"""decode_token(): the claims of a JWT, not verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.crypto.access_token import unverified_claims
from cognito_session.core.errors import MalformedToken

if TYPE_CHECKING:
    from typing import Any

__all__ = ["decode_token"]


def decode_token(token: str) -> dict[str, Any]:
    """The claims of a JWT, without any check: for showing, logging and debugging, never for deciding.

    It proves nothing. Anybody can write a token with any claims, and this function reads it as gladly: the signature is not
    checked (that Cognito made it), nor the expiry (that it still holds), nor the issuer and audience (that it was made for
    your application), nor whether the session was signed out or the token revoked since. To know who is asking, use
    `SessionManager.resolve`, `protect` or your framework's adapter; `me.claims` are then claims that were checked.

    Raises ValueError, whose text holds nothing of the token, for what is not three parts of base64url with a JSON object in
    the middle (RFC 7519 7.2).
    """
    try:
        return unverified_claims(token)
    except MalformedToken as error:
        malformed = ValueError(str(error))
    raise malformed
