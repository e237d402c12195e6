"""Passkeys, as far as a stack without authenticators supports them: the request options, and the check of an answer.

Nothing checks a signature or registers a passkey: an answer is accepted if it contains the challenge. A test can show that an
app passes both on unchanged; it proves nothing about the person.
https://www.w3.org/TR/webauthn-3/#dictdef-publickeycredentialrequestoptionsjson
"""

import base64
import hmac
import json
import secrets
from typing import Any, Final

__all__ = ["credential_answers", "new_challenge", "request_options"]

_TIMEOUT_MS: Final = 180_000


def new_challenge() -> str:
    """A challenge for an authenticator to sign: base64url without padding."""
    return secrets.token_urlsafe(32)


def request_options(challenge: str, relying_party: str) -> str:
    """CREDENTIAL_REQUEST_OPTIONS: PublicKeyCredentialRequestOptionsJSON, as text. Any passkey of the site is accepted."""
    return json.dumps(
        {
            "challenge": challenge,
            "timeout": _TIMEOUT_MS,
            "rpId": relying_party,
            "allowCredentials": [],
            "userVerification": "preferred",
        }
    )


def credential_answers(credential: object, challenge: str) -> bool:
    """Whether a CREDENTIAL (AuthenticationResponseJSON, as text) contains this challenge. The signature is not checked."""
    try:
        response = json.loads(str(credential))["response"]
        said = json.loads(_decoded(response["clientDataJSON"]))["challenge"]
    except (ValueError, LookupError, TypeError):
        return False
    return isinstance(said, str) and hmac.compare_digest(said.encode(), challenge.encode())


def _decoded(text: Any) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
