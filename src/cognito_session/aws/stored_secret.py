"""StoredSecret: a secret in Secrets Manager that holds the sealing keys, and the app client's secret if it has one.

Its text is the value of SESSION_KEYS, or a JSON object with the members SESSION_KEYS and CLIENT_SECRET. No error quotes
it. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError
from cognito_session.core.checks import trimmed
from cognito_session.core.crypto.encoding import NotJson, read_json
from cognito_session.core.errors import ConfigurationError, SessionUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.aws.transport.interface import Wire

__all__ = ["StoredSecret"]

_TIMEOUT_SECONDS: Final = 3.0


class StoredSecret:
    """The secret named by SESSION_SECRET_ARN. All methods raise SessionUnavailable and ConfigurationError."""

    def __init__(self, wire: Callable[[], Wire], arn: str) -> None:
        self._wire = wire
        self._arn = arn
        self._cached: str | None = None

    def __repr__(self) -> str:
        return f"StoredSecret({self._arn!r})"

    def keys(self) -> str:
        """The text of SESSION_KEYS, read from Secrets Manager at each call. The caller decides when to read."""
        self._cached = self._read()
        keys = _member(self._cached, "SESSION_KEYS")
        if keys is None:
            raise _unusable()
        return keys

    def client_secret(self) -> str | None:
        """CLIENT_SECRET, or None if it is not a member. Uses the text that was read last, so that it costs no call."""
        if self._cached is None:
            self._cached = self._read()
        return _member(self._cached, "CLIENT_SECRET")

    def _read(self) -> str:
        payload = {"SecretId": self._arn}
        try:
            answer = self._wire().call("secretsmanager", "GetSecretValue", payload, timeout_seconds=_TIMEOUT_SECONDS)
        except ServiceError as error:
            from cognito_session.aws.secrets_codes import secret_failure

            raise secret_failure(error) from error
        except (NotSent, AnswerLost) as error:
            raise SessionUnavailable(f"Secrets Manager did not answer: {error}", reason="keyring_unavailable") from error
        text = answer.get("SecretString")
        if not isinstance(text, str) or not text:
            raise _unusable()
        return text


def _member(text: str, name: str) -> str | None:
    """One member of the JSON object. A plain text is the value of SESSION_KEYS."""
    if not text.lstrip().startswith("{"):
        return text if name == "SESSION_KEYS" else None
    try:
        found = read_json(text).get(name)
    except NotJson as error:
        raise _unusable() from error
    if name == "SESSION_KEYS":  # entries may be on separate lines
        return found.strip() or None if isinstance(found, str) else None
    return trimmed(found, f"SESSION_SECRET_ARN: {name} in the secret")


def _unusable() -> ConfigurationError:
    return ConfigurationError(
        "SESSION_SECRET_ARN: expected a secret whose text is the value of SESSION_KEYS, or a JSON object with that member"
    )
