"""A user pool's post confirmation trigger: a password that was reset anywhere ends the user's sessions, managed login included.

Cognito calls the trigger after ConfirmForgotPassword, on its own pages too, and names the user. The password has changed by
then: what cannot be done here is reported and never refused, since an error would tell the user that nothing had changed.
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-post-confirmation.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.errors import ConfigurationError
from cognito_session.signin.other_sessions import others_ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.engine import Engine

__all__ = ["password_reset_trigger"]

_RESET: Final = "PostConfirmation_ConfirmForgotPassword"


def password_reset_trigger(engine: Engine) -> Callable[[Any, Any], Any]:
    """The Lambda handler; see SessionManager.password_reset_trigger."""

    def trigger(event: Any, context: Any = None) -> Any:
        del context
        sub = _user_of(engine, event)
        if sub is not None:
            context = engine.context
            engine.run(others_ended(context, sub, changed_at=context.now()))
        return event

    return trigger


def _user_of(engine: Engine, event: Any) -> str | None:
    """Whose password was reset; None for a confirmed sign-up. Raises ConfigurationError for what is no such event."""
    if not isinstance(event, Mapping) or not str(event.get("triggerSource", "")).startswith("PostConfirmation_"):
        raise ConfigurationError("password_reset_trigger: expected the event of a post confirmation trigger of a user pool")
    if event.get("userPoolId") != engine.context.rules.user_pool_id:
        raise ConfigurationError("password_reset_trigger: the event is of another user pool than USER_POOL_ID")
    if event["triggerSource"] != _RESET:
        return None
    request = event.get("request")
    attributes = request.get("userAttributes") if isinstance(request, Mapping) else None
    sub = attributes.get("sub") if isinstance(attributes, Mapping) else None
    if not isinstance(sub, str) or not sub:
        raise ConfigurationError("password_reset_trigger: expected the user's sub in request.userAttributes")
    return sub
