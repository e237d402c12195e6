"""Where the keyring comes from: a text (SESSION_KEYS), a callable, or a secret in Secrets Manager.

A source that can change is asked again when a value names a newer key, at most once in ten seconds, and from time to time,
so that keys rotate without a restart. A failed renewal keeps the keys at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cognito_session.aws.fork import ProcessLock
from cognito_session.aws.wire import AnswerLost, NotSent, ServiceError
from cognito_session.core.errors import ConfigurationError, SessionUnavailable
from cognito_session.core.json_text import NotJson, read_json
from cognito_session.core.keyring import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.aws.wire import Wire
    from cognito_session.core.ports import Clock

__all__ = ["FixedKeyring", "RenewedKeyring", "SecretsManagerText"]

_RENEW_SECONDS: Final = 300
_NEWER_COOLDOWN_SECONDS: Final = 10
_TIMEOUT_SECONDS: Final = 3.0


class FixedKeyring:
    """A keyring that never changes while the process lives."""

    def __init__(self, text: str) -> None:
        self._keyring = Keyring.parse(text)

    def keyring(self, *, newer: bool) -> Keyring:  # noqa: ARG002 - there is no newer one
        """The keyring."""
        return self._keyring


class RenewedKeyring:
    """A keyring whose text `read` returns, in the form of SESSION_KEYS."""

    def __init__(self, read: Callable[[], str], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._held: Keyring | None = None
        self._asked_at = float("-inf")
        self._lock = ProcessLock()

    def keyring(self, *, newer: bool) -> Keyring:
        """The keyring at hand; read again where it is old, or where `newer` is wanted and the cooldown is over."""
        held = self._held
        if held is not None and not self._due(newer=newer):
            return held
        with self._lock:
            if self._held is not None and not self._due(newer=newer):
                return self._held  # another thread has asked meanwhile, whatever came of it
            return self._renewed()

    def _due(self, *, newer: bool) -> bool:
        return self._clock.monotonic() - self._asked_at >= (_NEWER_COOLDOWN_SECONDS if newer else _RENEW_SECONDS)

    def _renewed(self) -> Keyring:
        try:
            self._held = Keyring.parse(self._read())
        except Exception:
            if self._held is None:  # else whatever the callable raised: keys at hand are better than none
                raise
        self._asked_at = self._clock.monotonic()
        return self._held


class SecretsManagerText:
    """SESSION_KEYS out of a secret: its whole text, or the member SESSION_KEYS of its JSON object.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    """

    def __init__(self, wire: Callable[[], Wire], arn: str) -> None:
        self._wire = wire
        self._arn = arn

    def member(self, name: str) -> str | None:
        """One member of the secret's JSON object; of a plain text, SESSION_KEYS is the whole."""
        text = self._secret_string()
        if not text.lstrip().startswith("{"):
            return text if name == "SESSION_KEYS" else None
        try:
            members: Any = read_json(text)
        except NotJson as error:
            raise _unusable() from error
        found = members.get(name)
        return found if isinstance(found, str) and found else None

    def __call__(self) -> str:
        """The text of SESSION_KEYS. Raises SessionUnavailable and ConfigurationError."""
        keys = self.member("SESSION_KEYS")
        if keys is None:
            raise _unusable()
        return keys

    def _secret_string(self) -> str:
        payload = {"SecretId": self._arn}
        try:
            answer = self._wire().call("secretsmanager", "GetSecretValue", payload, timeout_seconds=_TIMEOUT_SECONDS)
        except ServiceError as error:
            if error.code in ("ResourceNotFoundException", "AccessDeniedException", "DecryptionFailure"):
                raise ConfigurationError(
                    f"SESSION_SECRET_ARN: Secrets Manager refused GetSecretValue ({error.code}): check the ARN and that the"
                    " function's role may read it"
                ) from error
            raise SessionUnavailable("Secrets Manager did not answer", reason="keyring_unavailable") from error
        except (NotSent, AnswerLost) as error:
            raise SessionUnavailable("Secrets Manager did not answer", reason="keyring_unavailable") from error
        text = answer.get("SecretString")
        if not isinstance(text, str) or not text:
            raise _unusable()
        return text


def _unusable() -> ConfigurationError:
    return ConfigurationError(
        "SESSION_SECRET_ARN: expected a secret whose text is the value of SESSION_KEYS, or a JSON object with that member"
    )
