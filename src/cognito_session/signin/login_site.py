"""LoginSite: where signing in happens, as the application and Cognito's app client must agree on it.

The addresses of the application (callback, sign-in, after sign-out) are put together from its base address and never from
the request: a Host header is its sender's. All addresses of Cognito come from the user pool's domain.
https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html
https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from cognito_session.core.errors import ConfigurationError

if TYPE_CHECKING:
    from cognito_session.signin.transaction import Transaction

__all__ = ["Entry", "LoginSite"]

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
        """Itself. Raises ConfigurationError for what Cognito would not understand."""
        for name, form in _TEXTS.items():
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and form.fullmatch(value)):
                raise ConfigurationError(f"{name}: expected a text of the form that Cognito's authorization endpoint takes")
        if self.prompt is not None and not set(self.prompt.split(" ")) <= _PROMPTS:
            raise ConfigurationError(f"prompt: expected one or more of {', '.join(sorted(_PROMPTS))}")
        return self


class LoginSite(NamedTuple):
    """Addresses and paths of one application's sign-in. `login_path` is where the application calls `start`.

    `callback_path` and `after_sign_out` follow `base_url`; the other two are as a browser asks for them.
    """

    base_url: str
    client_id: str
    scopes: tuple[str, ...]
    callback_path: str
    login_path: str
    after_sign_in: str
    after_sign_out: str

    @property
    def redirect_uri(self) -> str:
        """The callback's address, as it stands in the app client's allowed callback URLs."""
        return self.base_url + self.callback_path

    @property
    def logout_uri(self) -> str:
        """Where managed login sends the browser after sign-out: in the app client's allowed sign-out URLs."""
        return self.base_url + self.after_sign_out

    def authorize_url(self, domain: str, transaction: Transaction, entry: Entry) -> str:
        """Where a sign-in begins: the authorization endpoint with PKCE, state and nonce; the sign-up page with the same."""
        optional = {
            "identity_provider": entry.identity_provider,
            "prompt": entry.prompt,
            "lang": entry.language,
            "login_hint": entry.login_hint,
        }
        fields = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self.scopes),
            "state": transaction.state,
            "nonce": transaction.nonce,
            "code_challenge": transaction.challenge,
            "code_challenge_method": "S256",
            **{name: value for name, value in optional.items() if value is not None},
        }
        return f"{domain}{'/signup' if entry.sign_up else '/oauth2/authorize'}?{urlencode(fields)}"

    def logout_url(self, domain: str) -> str:
        """Where managed login's own cookie ends."""
        return f"{domain}/logout?{urlencode({'client_id': self.client_id, 'logout_uri': self.logout_uri})}"
