"""LoginSite: where signing in happens, as the application and Cognito's app client must agree on it.

The addresses of the application (callback, sign-in, after sign-out) are put together from its base address and never from
the request: a Host header is its sender's. All addresses of Cognito come from the user pool's domain.
https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html
https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

if TYPE_CHECKING:
    from cognito_session.signin.entry import Entry
    from cognito_session.signin.transaction import Transaction

__all__ = ["LoginSite"]


class LoginSite(NamedTuple):
    """Addresses and paths of one application's sign-in. `login_path` is where the application calls `start`.

    `callback_path` and `after_sign_out` follow `base_url`; the other two are as a browser asks for them.
    `clear_site_data` is what a sign-out tells the browser to delete.
    """

    base_url: str
    client_id: str
    scopes: tuple[str, ...]
    callback_path: str
    login_path: str
    after_sign_in: str
    after_sign_out: str
    clear_site_data: tuple[str, ...] = ()

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
