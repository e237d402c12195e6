"""Authenticator apps (TOTP, RFC 6238): how a secret is handed to one.

https://github.com/google/google-authenticator/wiki/Key-Uri-Format
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from cognito_session.core.errors import ProviderUnavailable
from cognito_session.signin.outcome import TotpSecret

if TYPE_CHECKING:
    from cognito_session.signin.pool_context import Answer

__all__ = ["otpauth_uri", "totp_secret_of"]


def otpauth_uri(secret: str, *, issuer: str, account: str) -> str:
    """The URI that a QR code shows. A colon parts issuer and account, so neither keeps one of its own."""
    site, who = (quote(text.replace(":", " ").strip(), safe="") for text in (issuer, account))
    return f"otpauth://totp/{site}:{who}?secret={quote(secret.rstrip('='), safe='')}&issuer={site}"


def totp_secret_of(answer: Answer, *, issuer: str, account: str) -> TotpSecret:
    """What AssociateSoftwareToken answered. Raises ProviderUnavailable."""
    secret = answer.get("SecretCode")
    if not isinstance(secret, str) or not secret:
        raise ProviderUnavailable("Cognito: AssociateSoftwareToken answered without a SecretCode", sent=True)
    return TotpSecret(secret, otpauth_uri(secret, issuer=issuer, account=account))
