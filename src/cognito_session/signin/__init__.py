"""Sign-in and sign-out: managed login, and sign-up and sign-in on your own pages with passwords, codes and passkeys.

- `ManagedLogin`, `AsyncManagedLogin`: what `managed_login()` of a manager returns
- `PasswordFlows`, `AsyncPasswordFlows`: what `password_flows()` of a manager returns
- `SignInOutcome` and the other types: the results of their methods, as values

The other modules of this package are private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session._lazy import lazy_names

if TYPE_CHECKING:
    from cognito_session.signin.flows import PasswordFlows
    from cognito_session.signin.flows_async import AsyncPasswordFlows
    from cognito_session.signin.managed_login import AsyncManagedLogin, ManagedLogin
    from cognito_session.signin.outcome import (
        AccountChanged,
        ChallengeRequired,
        CodeSent,
        Done,
        Established,
        PasskeyOptions,
        PasswordChanged,
        PasswordReset,
        Prompt,
        Refusal,
        Refused,
        SignInOutcome,
        TotpSecret,
    )

__all__ = [
    "AccountChanged",
    "AsyncManagedLogin",
    "AsyncPasswordFlows",
    "ChallengeRequired",
    "CodeSent",
    "Done",
    "Established",
    "ManagedLogin",
    "PasskeyOptions",
    "PasswordChanged",
    "PasswordFlows",
    "PasswordReset",
    "Prompt",
    "Refusal",
    "Refused",
    "SignInOutcome",
    "TotpSecret",
]

_FLOWS = {
    "AsyncManagedLogin": "cognito_session.signin.managed_login",
    "AsyncPasswordFlows": "cognito_session.signin.flows_async",
    "ManagedLogin": "cognito_session.signin.managed_login",
    "PasswordFlows": "cognito_session.signin.flows",
}
_LAZY = {name: _FLOWS.get(name, "cognito_session.signin.outcome") for name in __all__}

if not TYPE_CHECKING:
    __getattr__ = lazy_names(globals(), _LAZY)


def __dir__() -> list[str]:
    return __all__
