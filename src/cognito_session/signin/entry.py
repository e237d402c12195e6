"""Entry: what the application asked of managed login for one sign-in, kept so that a restart asks for the same.

Managed login gets each value as a parameter of the authorization endpoint:
https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Entry"]

_TEXTS: Final = {
    "identity_provider": re.compile(r"[\w .:/@-]{1,64}"),
    "language": re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{2,4})?"),
    "login_hint": re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,256}"),
}
_PROMPTS: Final = frozenset({"none", "login", "select_account", "consent"})


class Entry(NamedTuple):
    """How a person enters managed login; see ManagedLogin.start."""

    identity_provider: str | None = None
    sign_up: bool = False
    prompt: str | None = None
    language: str | None = None
    login_hint: str | None = None

    def checked(self) -> Entry:
        """The entry, each word of `prompt` once. Raises ConfigurationError for what Cognito would not understand."""
        for name, form in _TEXTS.items():
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and form.fullmatch(value)):
                raise ConfigurationError(f"{name}: expected a text of the form that Cognito's authorization endpoint takes")
        if self.prompt is None:
            return self
        words = dict.fromkeys(self.prompt.split(" "))
        if not words.keys() <= _PROMPTS:
            raise ConfigurationError(f"prompt: expected one or more of {', '.join(sorted(_PROMPTS))}")
        return self._replace(prompt=" ".join(words))

    @property
    def is_silent(self) -> bool:
        """Whether managed login must show nothing (`prompt=none`)."""
        return self.prompt == "none"

    def asking_for_the_password(self) -> Entry:
        """The same entry with `prompt=login`, on the sign-in page: a person who has been signed out has an account."""
        prompts = (self.prompt or "").split(" ")
        return self._replace(sign_up=False, prompt=self.prompt if "login" in prompts else "login")

    def kept(self) -> dict[str, str | bool]:
        """The values that were given, by name."""
        return {name: value for name, value in self._asdict().items() if value}

    @classmethod
    def of_kept(cls, kept: Mapping[str, str | bool]) -> Entry:
        """The entry of such values. Another version's names are ignored."""
        return cls(**{name: value for name, value in kept.items() if name in cls._fields})  # type: ignore[arg-type]
