"""The conditions under which the local stack starts: strict settings of ministack, all packages, and real signatures.

ministack reads its settings from the environment when it is imported. Without `cryptography` it signs with random bytes and
accepts any token. Therefore the stack sets the environment first, requires the package, and checks one token against the
published key set, as a relying party does. This file knows only the names of ministack's variables.
"""

import base64
import importlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

__all__ = ["StartupError", "configure", "require_packages", "verifies"]


_PACKAGES = ("jinja2", "pyotp")
"""The packages that are imported only when a page or a code is needed, too late for a useful message."""


class StartupError(RuntimeError):
    """The stack cannot start; the message says what to do."""


def configure(state_dir: Path) -> None:
    """Set ministack's environment: real signatures, checked credentials, no other listener, no file outside `state_dir`."""
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
        AWS_SECRET_ACCESS_KEY="test",  # noqa: S106 - ministack's root user, which exists on this machine only
        MINISTACK_REGION="us-east-1",
    )


def require_packages() -> None:
    """Raises StartupError if a package that the stack needs is missing."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise StartupError(f"the local stack needs the package {missing[0]}: install cognito-session[local]")
    try:
        importlib.import_module("cryptography.hazmat.primitives.asymmetric.rsa")
    except ImportError as error:
        raise StartupError(
            "the local stack needs the package cryptography, without which ministack signs with random bytes: "
            "install cognito-session[local]"
        ) from error


def verifies(token: str, key_set: dict[str, Any]) -> bool:
    """Whether a key of `key_set` (a parsed JWKS) verifies the token's RS256 signature."""
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
