"""Warnings about accepted settings that leave out a protection: one log line each, with the setting that adds it.

They are written once, when a manager is made.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cognito_session.core.protocol.context import FlowContext

__all__ = ["warn_of_weak_settings"]


def warn_of_weak_settings(context: FlowContext) -> None:
    """Log each accepted setting that leaves out a protection, with what to set instead."""
    name = context.cookie.name
    if not context.cookie.has_host_prefix:
        _warn(
            f'cookie {name}: its name does not begin with "__Host-", so that a sibling domain\'s page can set a cookie of the'
            f' same name. Set cookie_name="__Host-{name.removeprefix("__Secure-")}"; users then sign in again'
        )
    if not context.seals:
        _warn(
            f"cookie {name}: the table holds tokens as plain text. Set SESSION_KEYS (`cognito-session keys new` prints an"
            " entry), with SESSION_ACCEPT_UNSEALED_ROWS=true until the sessions that the table has now have ended; or use"
            ' cookie="sealed": users then sign in again'
        )
    elif context.policy.accept_unsealed_rows:
        _warn(
            f"cookie {name}: rows without a code of SESSION_KEYS are accepted, so that a writer of the table can pass off"
            " their own. Remove SESSION_ACCEPT_UNSEALED_ROWS or accept_unsealed_rows once the sessions from before the keys"
            " have ended"
        )
    if context.cookie.same_site == "None":
        _warn(
            f"cookie {name}: with SameSite=None browsers send it with requests of every site's pages, so that only the check of"
            " Sec-Fetch-Site and Origin refuses those. Exempt no path from it that a session serves"
        )


def _warn(message: str) -> None:
    # An application that has not imported `logging` has not configured it: a cold start does not pay for the import.
    logging = sys.modules.get("logging")
    if logging is not None:
        logging.getLogger("cognito_session").warning("%s", message)
