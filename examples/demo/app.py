"""The sample app: one Lambda handler `(event, context)` of payload format 2.0, which signs users in, serves them, and signs
them out. Whatever keeps a session is `sessions`; the rest is routes and pages.

    account       what one does while signed in          pages_home, pages_profile, pages_devices, pages_guarded
    doors         where a session begins and ends        pages_sign_in, pages_challenge
    credentials   accounts, passwords, authenticators    pages_sign_in, pages_profile
    guard         who may see what, refusals             pages_refused
    journal       the panel that shows what it all cost
"""

from collections.abc import Mapping
from typing import Any

from cognito_session import SessionManager
from cognito_session.local.gateway import Handler
from examples.demo import pages_refused
from examples.demo.account import Account
from examples.demo.backstage import Backstage
from examples.demo.credentials import Credentials
from examples.demo.doors import Doors
from examples.demo.guard import Guard
from examples.demo.journal import Journal
from examples.demo.static_files import PATHS, static_file

__all__ = ["sample_app"]

Routes = Mapping[tuple[str, str], Handler]


def sample_app(sessions: SessionManager, backstage: Backstage) -> Handler:
    """The handler. `sessions` knows APP_BASE_URL and COGNITO_DOMAIN. Raises ConfigurationError where it does not."""
    guard = Guard(sessions)
    flows = sessions.password_flows(issuer="cognito-session demo")
    routes = {
        **Account(sessions, backstage).routes(guard),
        **Doors(sessions, flows, backstage).routes(guard),
        **Credentials(flows, backstage).routes(guard),
    }
    journal = Journal(backstage.meter, unobserved=PATHS)
    return _secured(journal.around(_routed(routes)), sessions.configuration.cognito_domain or "")


def _routed(routes: Routes) -> Handler:
    paths = {path for _, path in routes}

    def handler(event: dict[str, Any], context: Any) -> Any:
        method, path = event["requestContext"]["http"]["method"], event["rawPath"]
        method = "GET" if method == "HEAD" else method
        if method == "GET" and path in PATHS:
            return static_file(event)
        route = routes.get((method, path))
        if route is None:
            return pages_refused.not_this_way() if path in paths else pages_refused.not_found()
        return route(event, context)

    return handler


def _secured(app: Handler, cognito: str) -> Handler:
    """Answers that say of themselves what a browser may do with them; those of the library say so already.

    form-action names Cognito too: browsers apply it to where a form is redirected, and signing out ends there.
    """
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
        f" form-action 'self' {cognito}; base-uri 'none'; frame-ancestors 'none'"
    )
    ours = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }

    def secured(event: dict[str, Any], context: Any) -> Any:
        answer = app(event, context)
        return {**answer, "headers": {**ours, **answer["headers"]}}

    return secured
