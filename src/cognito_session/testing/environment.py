"""Harmless settings for tests, so that `SessionManager.from_env()` in an application's module works on import.

Turn them on with `cognito_session_environment = true` in pytest's configuration. Elsewhere, for example at the top of a
conftest.py or with unittest:

    from cognito_session.testing.environment import set_defaults
    set_defaults(SORT_KEY="sid")               # your own settings: they take precedence over the defaults

Variables that are set are never replaced. The ids name nothing at AWS. The sealing key is random in each process, because
production would accept a key that is published in this file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from cognito_session.core.crypto.keyring import KEY_BYTES, new_entry

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["DEFAULTS", "set_defaults"]

DEFAULTS: Final = {
    "USER_POOL_ID": "eu-central-1_Testing00",
    "CLIENT_ID": "testing0client0of0cognito0session",
    "SESSION_TABLE": "sessions-in-tests",
    "SESSION_KEYS": new_entry(None, os.urandom(KEY_BYTES)),
    "AWS_REGION": "eu-central-1",
    "COGNITO_DOMAIN": "https://sign-in.example",
    "APP_BASE_URL": "https://app.example",
}
"""What is set where it is missing."""

_INSTEAD: Final = {
    "USER_POOL_ID": ("COGNITO_USER_POOL_ID",),
    "CLIENT_ID": ("COGNITO_CLIENT_ID",),
    "SESSION_TABLE": ("SESSION_STORE",),
    "SESSION_KEYS": ("SESSION_SECRET_ARN",),
    "AWS_REGION": ("AWS_DEFAULT_REGION",),
}
"""Other variables that say the same: where one of them is set, there is nothing to add, and two would disagree."""


def set_defaults(environ: MutableMapping[str, str] | None = None, *, prefix: str = "", **settings: str) -> None:
    """Set what is missing in `environ`: `settings` first, then DEFAULTS. `prefix` is that of `from_env(prefix=...)`."""
    environ = os.environ if environ is None else environ
    for name, value in {**DEFAULTS, **settings}.items():
        start = "" if name.startswith("AWS_") else prefix
        if not any(environ.get(start + each) for each in (name, *_INSTEAD.get(name, ()))):
            environ[start + name] = value
