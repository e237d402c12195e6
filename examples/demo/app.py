"""The sample app: one Lambda handler `(event, context)` of payload format 2.0.

`sessions`, the library's SessionManager, does everything that concerns sessions. The rest is routes and pages:

    sign_in_routes      signing in and out
    account_routes      accounts, passwords, authenticator apps
    signed_in_routes    the pages of a signed-in user
    guard               access rules and the pages of refusals
    call_panel          the panel that shows the calls behind each page
"""

from typing import Any

from cognito_session import SessionManager
from cognito_session.local.gateway import Handler
from examples.demo.account_routes import AccountRoutes
from examples.demo.call_panel import CallPanel
from examples.demo.demo_tools import DemoTools
from examples.demo.guard import Guard, Routes
from examples.demo.pages import refused
from examples.demo.sign_in_routes import SignInRoutes
from examples.demo.signed_in_routes import SignedInRoutes
from examples.demo.static_files import PATHS, static_file

__all__ = ["sample_app"]


def sample_app(sessions: SessionManager, tools: DemoTools) -> Handler:
    """The handler. Raises ConfigurationError if `sessions` has no APP_BASE_URL or COGNITO_DOMAIN."""
    guard = Guard(sessions)
    flows = sessions.password_flows(issuer="cognito-session demo")
    routes = {
        **SignedInRoutes(sessions, tools).routes(guard),
        **SignInRoutes(sessions, flows, tools).routes(guard),
        **AccountRoutes(flows, tools).routes(guard),
    }
    panel = CallPanel(tools.meter, unobserved=PATHS)
    return _with_security_headers(panel.around(_router(routes)), sessions.configuration.cognito_domain or "")


def _router(routes: Routes) -> Handler:
    paths = {path for _, path in routes}

    def handler(event: dict[str, Any], context: Any) -> Any:
        method, path = event["requestContext"]["http"]["method"], event["rawPath"]
        method = "GET" if method == "HEAD" else method
        if method == "GET" and path in PATHS:
            return static_file(event)
        route = routes.get((method, path))
        if route is not None:
            return route(event, context)
        if path not in paths:
            return refused(404)
        response = refused(405)
        return {**response, "headers": {**response["headers"], "Allow": "POST"}}

    return handler


def _with_security_headers(app: Handler, cognito: str) -> Handler:
    """Adds the security headers of this site. A response of the library keeps its own.

    form-action includes Cognito: browsers apply it to redirects of a form, and sign-out ends at Cognito.
    """
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
        f" form-action 'self' {cognito}; base-uri 'none'; frame-ancestors 'none'"
    )
    added = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }

    def secured(event: dict[str, Any], context: Any) -> Any:
        response = app(event, context)
        return {**response, "headers": {**added, **response["headers"]}}

    return secured
