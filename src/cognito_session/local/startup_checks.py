"""What must hold before the stack may start: ministack configured to be strict, and signatures that are real.

ministack reads its configuration from the environment at import, and without `cryptography` it signs with random bytes
and accepts anything. So the environment is set first, the package is demanded, and one token is checked against the
published key set as any relying party would do it. This file knows nothing of ministack but its variables' names.
"""

import base64
import importlib
import json
import os
from pathlib import Path
from typing import Any

__all__ = ["StartupError", "configure", "require_cryptography", "verifies"]


class StartupError(RuntimeError):
    """The stack must not start like this; the message says what to do."""


def configure(state_dir: Path) -> None:
    """Real signatures, checked credentials, no listener of ministack's own, no trace outside `state_dir`."""
    folder = str(state_dir)
    os.environ.update(
        AUTH="true",
        SERVICES="cognito-idp,dynamodb,secretsmanager",
        BIND_HOST="127.0.0.1",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        PERSIST_STATE="0",
        STATE_DIR=folder,
        S3_DATA_DIR=folder,
        TMPDIR=folder,
        LOG_LEVEL="WARNING",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",  # noqa: S106 - ministack's root user, known to nobody outside this machine
        MINISTACK_REGION="us-east-1",
    )


def require_cryptography() -> None:
    """Raises StartupError where the `cryptography` package is missing."""
    try:
        importlib.import_module("cryptography.hazmat.primitives.asymmetric.rsa")
    except ImportError as error:
        raise StartupError(
            "the local stack needs the `cryptography` package: without it ministack's signatures are random bytes. "
            "Install cognito-session[local]"
        ) from error


def verifies(token: str, key_set: dict[str, Any]) -> bool:
    """Whether a token's RS256 signature is of a key of this set (a parsed JWKS)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    header, _, signature = token.split(".")
    kid = json.loads(_decoded(header)).get("kid")
    key = next((key for key in key_set["keys"] if key["kid"] == kid), None)
    if key is None:
        return False
    numbers = rsa.RSAPublicNumbers(e=int.from_bytes(_decoded(key["e"])), n=int.from_bytes(_decoded(key["n"])))
    signed = token.rpartition(".")[0].encode()
    try:
        numbers.public_key().verify(_decoded(signature), signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
