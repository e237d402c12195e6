"""What the web side is told: Active, Refreshed (an Active), or Rejected with a reason; and the Session they carry.

Denial is a value. An outage is not an outcome: it is a SessionUnavailable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, fields, make_dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.checks import check_guards
from cognito_session.core.errors import ConfigurationError, SessionForbidden, SessionRequired, StaleSignIn
from cognito_session.core.policy import FUTURE_TOLERANCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from cognito_session.core.crypto.access_token import AccessToken

__all__ = ["Active", "Outcome", "Reason", "Refreshed", "Rejected", "Session", "is_recent", "session_or_raise"]


class Reason(StrEnum):
    """Why a request has no session. The values are stable."""

    NO_COOKIE = "no_cookie"
    MALFORMED_COOKIE = "malformed_cookie"
    AMBIGUOUS_COOKIE = "ambiguous_cookie"
    INVALID_SEAL = "invalid_seal"
    RETIRED_KEY = "retired_key"
    MALFORMED_TOKEN = "malformed_token"
    UNKNOWN_KEY = "unknown_key"
    INVALID_SIGNATURE = "invalid_signature"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_CLIENT = "wrong_client"
    WRONG_TOKEN_USE = "wrong_token_use"
    INVALID_CLAIM = "invalid_claim"
    NOT_YET_VALID = "not_yet_valid"
    UNKNOWN_SESSION = "unknown_session"
    SESSION_ENDED = "session_ended"
    DISPLACED = "displaced"
    WRONG_COOKIE_KIND = "wrong_cookie_kind"
    SUPERSEDED = "superseded"
    REUSE = "reuse"
    TOKEN_EXPIRED = "token_expired"  # a WebSocket message's: only an ordinary request refreshes
    IDLE_TIMEOUT = "idle_timeout"
    ABSOLUTE_TIMEOUT = "absolute_timeout"
    SIGNED_OUT = "signed_out"
    SIGN_IN_EXPIRED = "sign_in_expired"
    TOO_MANY_SESSIONS = "too_many_sessions"
    REFRESH_DENIED = "refresh_denied"
    REFRESH_LOST = "refresh_lost"
    DEVICE_REFUSED = "device_refused"


@dataclass(frozen=True, slots=True)
class Session:
    """Who is asking, as of the access token that serves this request. Instants are epoch seconds.

    `set_cookies` are the Set-Cookie values to send, empty when nothing changed. `respond` builds an answer in the form
    of the event that was being served. `facts()` is what may be shown to the browser.

    A pickle or a deep copy leaves the request: it has no access token, no cookies and no responder.
    """

    sub: str
    sid: str
    username: str
    groups: tuple[str, ...]
    scopes: frozenset[str]
    claims: Mapping[str, Any] = field(repr=False)
    auth_time: int | None
    access_token: str = field(repr=False)
    token_expires_at: int
    session_expires_at: int | None
    served_at: int = 0
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    data_version: int = 0
    set_cookies: tuple[str, ...] = field(default=(), repr=False)
    responder: Callable[[Session, int, Any], Any] | None = field(default=None, repr=False, compare=False)
    alarm: Callable[[str, str, str | None, str], None] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        token: AccessToken,
        *,
        sid: str,
        auth_time: int | None,
        expires_at: int | None,
        now: int = 0,
        data: Mapping[str, Any] = MappingProxyType({}),
        data_version: int = 0,
        alarm: Callable[[str, str, str | None, str], None] | None = None,
    ) -> Session:
        """The session that this access token serves. `alarm` is told of guards that refuse it."""
        return cls(
            sub=token.sub,
            sid=sid,
            username=token.username,
            groups=token.groups,
            scopes=token.scopes,
            claims=token.claims,
            auth_time=auth_time if auth_time is not None else token.auth_time,
            access_token=token.text,
            token_expires_at=token.expires_at,
            session_expires_at=expires_at,
            served_at=now,
            data=MappingProxyType(dict(data)),
            data_version=data_version,
            alarm=alarm,
        )

    def facts(self) -> dict[str, Any]:
        """What may be sent to the signed-in user, as JSON types: no token, no cookie, no claims and no data.

        The names and units are those of the attributes; `groups` and `scopes` are lists, `scopes` sorted.
        """
        found = {name: getattr(self, name) for name in _FACTS}
        return found | {"groups": list(self.groups), "scopes": sorted(self.scopes)}

    def __copy__(self) -> Session:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle and copy.deepcopy, which may put a session into a queue, a cache or a log: without its secrets."""
        kept: dict[str, Any] = {name: getattr(self, name) for name in _NAMES if name not in _LEFT_OUT}
        return _restored, (kept | {"claims": _thawed(self.claims), "data": dict(self.data)},)

    @property
    def cognito(self) -> dict[str, Any] | None:
        """The seed's answer: the new token, exactly when the browser needs a new cookie; otherwise None."""
        if not self.set_cookies:
            return None
        return {"AuthenticationResult": {"AccessToken": self.access_token}}

    def require(
        self,
        *,
        any_group: Collection[str] | None = None,
        all_groups: Collection[str] = (),
        scopes: Collection[str] = (),
        max_age: int | None = None,
    ) -> None:
        """Raise SessionForbidden (403) unless the session is in one of `any_group`, in all of `all_groups`, and has all
        `scopes`; and unless its sign-in is at most `max_age` seconds old, which is told apart by its reason
        "stale_sign_in" so that a page can send the user to sign in again. Names are compared exactly; groups and scopes
        are those of the access token that serves this request.
        """
        check_guards(any_group=any_group, all_groups=all_groups, scopes=scopes, max_age=max_age)
        groups = set(self.groups)
        if any_group is not None and groups.isdisjoint(any_group):
            raise self._refused(SessionForbidden("not in any of the required groups", reason="group_required"))
        if not groups.issuperset(all_groups):
            raise self._refused(SessionForbidden("not in all of the required groups", reason="group_required"))
        if not self.scopes.issuperset(scopes):
            raise self._refused(SessionForbidden("the access token lacks a required scope", reason="scope_required"))
        if max_age is not None and not is_recent(self.auth_time, self.served_at, max_age):
            raise self._refused(StaleSignIn(max_age))

    def _refused(self, error: SessionForbidden) -> SessionForbidden:
        """The error of a guard, told to the event hook first."""
        if self.alarm is not None:
            self.alarm("access_denied", self.sub, self.sid, error.reason)
        return error

    def respond(self, status: int = 200, body: Any = None) -> Any:
        """An answer in the event's own form: JSON body, the cookies, `Cache-Control: no-store` and `Vary: Cookie`."""
        if self.responder is None:
            raise ConfigurationError("respond() needs the event: take the session from session(name, event) or protect")
        return self.responder(self, status, body)

    def with_data(self, data: Mapping[str, Any], version: int) -> Session:
        """The same session after its data was saved."""
        return replace(self, data=MappingProxyType(dict(data)), data_version=version)

    def answering(self, responder: Callable[[Session, int, Any], Any]) -> Session:
        """This session, answering in the form that `responder` builds."""
        return replace(self, responder=responder)


_FACTS: Final = (
    *("sub", "sid", "username", "groups", "scopes", "auth_time"),
    *("token_expires_at", "session_expires_at"),
)
_LEFT_OUT: Final = frozenset({"access_token", "set_cookies", "responder", "alarm"})
"""What a pickle or a deep copy does not hold."""


_NAMES: Final = tuple(each.name for each in fields(Session))
"""Every attribute."""


def _show_facts_only() -> None:
    """Show the facts to whatever reads a dataclass by its fields: asdict, and JSON encoders that use it (FastAPI, Flask).

    Without this they would send the access token, or fail on it. The other fields become init-only ones, which `fields()`
    leaves out and `dataclasses.replace` copies where they have a default. They get their defaults only here, since the
    constructor requires some of them and every attribute stays.
    """
    init_only = make_dataclass(
        "_InitOnly",
        [(name, InitVar[Any], None) for name in _NAMES if name not in _FACTS],
        namespace={"__doc__": "Never made."},  # without one it would be put together by `inspect`, which costs milliseconds
        init=False,
        repr=False,
        eq=False,
    )
    Session.__dataclass_fields__.update(init_only.__dataclass_fields__)  # type: ignore[attr-defined] # what is_dataclass reads


_show_facts_only()


def _restored(kept: Mapping[str, Any]) -> Session:
    """The session out of a pickle; names that this version does not know are passed over."""
    found = {name: value for name, value in kept.items() if name in _NAMES}
    claims, data = _frozen(found.get("claims", {})), MappingProxyType(found.get("data", {}))
    return Session(**{**found, "access_token": "", "claims": claims, "data": data})


def _thawed(value: Any) -> Any:
    """Claims as plain dicts and tuples: a read-only mapping has no pickle."""
    if isinstance(value, Mapping):
        return {name: _thawed(item) for name, item in value.items()}
    return tuple(map(_thawed, value)) if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(item) for name, item in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class Active:
    """Served. The session's `set_cookies` may hold a cookie the browser missed."""

    session: Session


@dataclass(frozen=True, slots=True)
class Refreshed(Active):
    """Served, and this very request refreshed the tokens."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Denied. No cookie is cleared: a late answer to an old cookie would delete the one just set."""

    reason: Reason


Outcome = Active | Rejected
"""The result of `resolve`. `Refreshed` is an `Active`."""


def is_recent(auth_time: int | None, now: int, max_age: float) -> bool:
    """Whether a sign-in at `auth_time` is at most `max_age` seconds ago.

    False where its time is not known, and where it lies in the future: then one of the two instants is not what it should be.
    """
    return auth_time is not None and -FUTURE_TOLERANCE_SECONDS <= now - auth_time <= max_age


def session_or_raise(found: Session | Rejected) -> Session:
    """The session that a sign-in has begun.

    Raises SessionForbidden where the policy allows no more of them, SessionRequired where it had ended already.
    """
    if isinstance(found, Session):
        return found
    if found.reason is Reason.TOO_MANY_SESSIONS:
        raise SessionForbidden("this user has as many sessions as the policy allows", reason=found.reason)
    raise SessionRequired(_NO_SESSION_MESSAGES.get(found.reason, "the session of this sign-in has ended"), reason=found.reason)


_NO_SESSION_MESSAGES: Final = {
    Reason.SIGN_IN_EXPIRED: (
        "establish: the access token has expired. Pass the tokens of a new sign-in or refresh. If they are new, check this"
        " machine's clock"
    ),
    Reason.SIGNED_OUT: "the user has been signed out everywhere since this sign-in: sign in again",
}
