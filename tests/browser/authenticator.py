"""A virtual authenticator with passkeys (WebDriver: Web Authentication 11)."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

__all__ = ["Authenticator"]

_OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Authenticator:
    """The authenticator of one tab; `session` is its session of the Chrome DevTools Protocol."""

    def __init__(self, session: Any) -> None:
        self._session = session
        session.send("WebAuthn.enable")
        self._id = session.send("WebAuthn.addVirtualAuthenticator", {"options": _OPTIONS})["authenticatorId"]

    def add_passkey(self, relying_party: str) -> None:
        """Adds a passkey with a new key for a site."""
        key = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        credential = {
            "credentialId": _text(b"passkey-1"),
            "isResidentCredential": True,
            "rpId": relying_party,
            "privateKey": _text(key),
            "userHandle": _text(b"user-1"),
            "signCount": 0,
        }
        self._session.send("WebAuthn.addCredential", {"authenticatorId": self._id, "credential": credential})


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
