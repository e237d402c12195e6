"""session(): the session of an event by a manager that the environment configures, made when it is first called."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from cognito_session.core.checks import check_text
from cognito_session.core.errors import SessionError
from cognito_session.core.secret import Secret
from cognito_session.manager.sync import SessionManager
from cognito_session.settings import VARIABLES
from cognito_session.web.unsent_cookies import made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.core.protocol.session import Session

__all__ = ["default_manager", "session"]

_defaults: dict[Secret[tuple[str | None, ...]], SessionManager] = {}
"""By the variables that a manager was made of, keys and client secret among them."""
_MOST_DEFAULTS = 32


def session(cookie_name: str, event: Mapping[str, Any], context: Any = None) -> Session:
    """The session of a Lambda event's token cookie, configured by the environment.

    `me.cognito` is {"AuthenticationResult": {"AccessToken": ...}} exactly when the browser needs a new cookie, else
    None. Raises SessionRequired (401), SessionUnavailable (503), ConfigurationError (500); each answers for itself
    with `.respond()`.
    """
    from cognito_session.web.aws_lambda.protect import refuse_unread, resolve_event

    check_text("session: cookie_name", cookie_name)
    try:
        me = resolve_event(default_manager(cookie_name).engine, event, context)
    except SessionError as error:
        error.responder = error.responder or functools.partial(refuse_unread, event)
        raise
    made("session", me.set_cookies)
    return me


def default_manager(cookie_name: str) -> SessionManager:
    """The manager behind `session(cookie_name, ...)` in this environment, made when first asked for."""
    key = Secret((cookie_name, *map(os.environ.get, VARIABLES)))
    manager = _defaults.get(key)
    if manager is None:
        if len(_defaults) >= _MOST_DEFAULTS:  # credentials that are renewed in the environment each make another key
            _defaults.clear()
        manager = _defaults[key] = SessionManager.from_env(cookie="token", cookie_name=cookie_name)
    return manager
