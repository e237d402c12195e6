"""Refuses requests that a page of another site makes a developer's browser send to the stack's port.

1. Every request must name a loopback host. Another name that resolves to this machine is DNS rebinding
(https://owasp.org/www-community/attacks/DNS_Rebinding), which makes the other site's pages same-origin.
2. An Origin, if present, must be a loopback one. Preflights of other sites fail, so their scripts cannot send AWS's
headers. The form of an identity provider (SAML, HTTP POST binding) comes from its own site and is allowed.
3. The control endpoints (`/_test/`) and ministack's (`/_...`) need the header `x-test-control` and no browser headers.
"""

import re

from cognito_session.local.http_response import HttpResponse, json_response

__all__ = ["cross_site_refusal"]

_LOOPBACK = r"(?:localhost|[a-z0-9.-]+\.localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?"
_HOST = re.compile(_LOOPBACK)
_ORIGIN = re.compile(rf"https?://{_LOOPBACK}")
_FROM_ELSEWHERE = frozenset({"/saml2/idpresponse"})


def cross_site_refusal(method: str, path: str, headers: dict[str, str]) -> HttpResponse | None:
    """A 403 for a request that only a browser sends for another site; None for any other request."""
    if not _HOST.fullmatch(headers.get("host", "").lower()):
        return _forbidden("expected a loopback host, such as 127.0.0.1 or localhost, in the header Host")
    origin = headers.get("origin")
    controls = path.startswith("/_")
    if controls and ("x-test-control" not in headers or origin is not None or "sec-fetch-site" in headers):
        return _forbidden(
            "expected the header x-test-control, and no Origin or Sec-Fetch-Site: browsers cannot use these paths"
        )
    if controls and method != "POST" and path.startswith("/_test/"):
        return _forbidden("expected POST")
    if origin is None or path in _FROM_ELSEWHERE or _ORIGIN.fullmatch(origin.lower()):
        return None
    if origin == "null" and not {"x-amz-target", "x-test-control", "access-control-request-method"} & headers.keys():
        return None  # a form on a page with Referrer-Policy: no-referrer
    return _forbidden("expected an Origin on this machine")


def _forbidden(message: str) -> HttpResponse:
    return json_response({"message": message}, status=403)
