"""Compares the app client's settings at Cognito with those that sessions need. Pure: a description in, findings out.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UserPoolClientType.html
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.ops.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Expected", "check_app_client", "grace_seconds"]

_UNIT_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_DAY_SECONDS: Final = 86_400
_DEFAULT_REFRESH_DAYS: Final = 30
_ADVISED_GRACE_SECONDS: Final = 60
_UNUSED_FLOWS: Final = frozenset(
    {"ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH", "CUSTOM_AUTH", "CUSTOM_AUTH_FLOW_ONLY", "USER_SRP_AUTH"}
)
"""https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html"""


class Expected(NamedTuple):
    """The application's values: its secret, the days of a session, and its addresses at managed login, if any."""

    client_secret: str | None
    session_days: int
    callback_url: str | None = None
    logout_url: str | None = None

    def __repr__(self) -> str:
        return f"Expected(callback_url={self.callback_url!r}, logout_url={self.logout_url!r})"


def check_app_client(client: Mapping[str, Any], expected: Expected) -> list[Finding]:
    """What of a UserPoolClient, as DescribeUserPoolClient gives it, is not as the application needs it."""
    return [
        *_revocation(client),
        *_secret(client.get("ClientSecret") or None, expected.client_secret),
        *_rotation(grace_seconds(client)),
        *_lifetime(client, expected.session_days),
        *_enumeration(client),
        *_sign_in_flows(client),
        *(_managed_login(client, expected) if expected.callback_url else ()),
    ]


def _revocation(client: Mapping[str, Any]) -> Iterator[Finding]:
    if not client.get("EnableTokenRevocation"):
        yield Finding(
            "problem",
            "token revocation is off, so access tokens carry no origin_jti",
            "Set EnableTokenRevocation (Cognito console: App clients, Advanced security).",
        )


def _secret(theirs: str | None, ours: str | None) -> Iterator[Finding]:
    console = "It is shown in the Cognito console under App clients."
    if theirs is None and ours is None:
        yield Finding(
            "note",
            "the app client has no secret, so that a refresh token works for everyone who has it",
            "An application with a server can keep a secret: use an app client that has one (RFC 10017 6.1.3.1). With another"
            " app client users sign in again.",
        )
    elif theirs is None and ours is not None:
        yield Finding("problem", "CLIENT_SECRET is set, but the app client has none", "Unset CLIENT_SECRET.")
    elif theirs is not None and ours is None:
        yield Finding("problem", "the app client has a secret, but CLIENT_SECRET is not set", f"Set CLIENT_SECRET. {console}")
    elif theirs is not None and not hmac.compare_digest(theirs.encode(), (ours or "").encode()):
        yield Finding("problem", "CLIENT_SECRET is not the app client's secret", f"Set CLIENT_SECRET to it. {console}")


def grace_seconds(client: Mapping[str, Any]) -> int | None:
    """The rotation's grace; None if refresh tokens do not rotate.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_RefreshTokenRotationType.html
    """
    rotation = client.get("RefreshTokenRotation") or {}
    return int(rotation.get("RetryGracePeriodSeconds") or 0) if rotation.get("Feature") == "ENABLED" else None


def _rotation(grace: int | None) -> Iterator[Finding]:
    if grace is None:
        return
    if grace < _ADVISED_GRACE_SECONDS:
        yield Finding(
            "difference",
            f"refresh tokens rotate with a grace of {grace} seconds: a worker killed between Cognito's answer and the write of"
            " it can end a session",
            f"Set RetryGracePeriodSeconds to {_ADVISED_GRACE_SECONDS}.",
        )
    yield Finding(
        "note",
        f"refresh tokens rotate with a grace of {grace} seconds",
        f"Declare it: SessionPolicy(rotation_grace_seconds={grace}).",
    )


def _lifetime(client: Mapping[str, Any], session_days: int) -> Iterator[Finding]:
    unit = (client.get("TokenValidityUnits") or {}).get("RefreshToken", "days")
    seconds = (client.get("RefreshTokenValidity") or _DEFAULT_REFRESH_DAYS) * _UNIT_SECONDS.get(unit, _DAY_SECONDS)
    days = seconds // _DAY_SECONDS
    if days < session_days:
        yield Finding(
            "difference",
            f"refresh tokens live for {seconds / _DAY_SECONDS:g} days, sessions for {session_days}",
            f"Raise RefreshTokenValidity, or declare it: SessionPolicy(refresh_token_days={max(1, days)}).",
        )


def _enumeration(client: Mapping[str, Any]) -> Iterator[Finding]:
    if client.get("PreventUserExistenceErrors") != "ENABLED":
        yield Finding(
            "difference",
            "Cognito tells unknown users from wrong passwords, so that an attacker can find out who has an account",
            "Set PreventUserExistenceErrors to ENABLED.",
        )


def _sign_in_flows(client: Mapping[str, Any]) -> Iterator[Finding]:
    """Flows that send a password through the application. Only sign-in on your own pages needs them (ASVS 10.4.4)."""
    allowed = client.get("ExplicitAuthFlows") or ()
    found = [flow for flow in ("ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH") if flow in allowed]
    if found:
        yield Finding(
            "note",
            f"the app client allows {found[0]}, so that anyone who knows its id can try passwords without managed login",
            "Only password_flows() needs it. Without sign-in on your own pages, take it out of ExplicitAuthFlows.",
        )
    unused = [flow for flow in allowed if flow.removeprefix("ALLOW_") in _UNUSED_FLOWS]
    if unused:
        fix = "Take them out of ExplicitAuthFlows unless other software signs in by them."
        yield Finding("note", f"the app client allows flows that this library does not use: {', '.join(sorted(unused))}", fix)


def _managed_login(client: Mapping[str, Any], expected: Expected) -> Iterator[Finding]:
    flows = client.get("AllowedOAuthFlows") or ()
    if not client.get("AllowedOAuthFlowsUserPoolClient") or "code" not in flows:
        fix = "Allow the authorization code grant (Cognito console: App clients, Login pages)."
        yield Finding("problem", "the app client does not allow the authorization code grant, which managed login uses", fix)
    if "implicit" in flows:
        yield Finding("difference", "the app client allows the implicit grant", "Turn it off (RFC 9700 2.1.2).")
    if "openid" not in (client.get("AllowedOAuthScopes") or ()):
        yield Finding("problem", "the app client does not allow the scope openid", "Allow it: sign-in checks the ID token.")
    for setting, address in (("CallbackURLs", expected.callback_url), ("LogoutURLs", expected.logout_url)):
        if address is not None and address not in (client.get(setting) or ()):
            yield Finding("problem", f"{address} is not among the app client's {setting}", "Add exactly this address.")
