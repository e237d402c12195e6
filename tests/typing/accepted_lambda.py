"""A Lambda author's programs: protect, session(), resolve, the seed's call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from cognito_session import (
    Active,
    AsyncSessionManager,
    ConfigurationError,
    Csrf,
    KeysUnavailable,
    LeaseBusy,
    Outcome,
    ProviderUnavailable,
    Reason,
    Refreshed,
    Rejected,
    Report,
    Session,
    SessionConflict,
    SessionError,
    SessionForbidden,
    SessionInfo,
    SessionManager,
    SessionPolicy,
    SessionRequired,
    SessionUnavailable,
    StaleSignIn,
    StoreUnavailable,
    current_session,
    decode_token,
    session,
)
from cognito_session.web.powertools import session_middleware

sessions = SessionManager.from_env()
admin = SessionManager.from_env(
    prefix="ADMIN_",
    cookie_name="__Host-admin",
    policy=SessionPolicy(idle_seconds=None, max_sessions=3),
    csrf=Csrf(trusted_origins=["https://admin.example"]),
    session_table="admins",
    on_event=lambda event: print(event.event, event.sub),
)
legacy = SessionManager.from_env(cookie="token", cookie_name="token", environ={"CLIENT_ID": "x"})


@sessions.protect
def plain(event: dict[str, Any], context: LambdaContext, me: Session) -> dict[str, Any]:
    """The shortest form."""
    me.require(any_group=["admin"], scopes={"orders/read"}, max_age=300)
    return {"statusCode": 200, "body": f"{me.sub} {context.function_name} {event['path']}"}


@sessions.protect(login_path="/login")
def text(event: Mapping[str, Any], context: object, me: Session) -> str:
    """Other types of event, context and answer."""
    del event, context
    return me.username


@sessions.protect(optional=True)
def home(_event: dict[str, Any], _context: Any, me: Session | None) -> dict[str, Any]:
    """With or without a session."""
    return {"statusCode": 200, "body": "nobody" if me is None else me.sub}


@sessions.protect()
def tolerant(_event: Any, _context: Any, me: Session | None) -> Any:
    """Who takes None as well may be called with a session always."""
    return me


@sessions.protect
async def coroutine(event: dict[str, Any], _context: LambdaContext, me: Session) -> dict[str, Any]:
    """An async handler."""
    return {"statusCode": 200, "body": me.sub + str(event)}


@sessions.protect(optional=True, login_path="/login")
async def coroutine_home(_event: Any, _context: Any, me: Session | None) -> Any:
    """An async one with or without a session."""
    return None if me is None else me.respond(200, {"hello": me.username})


def undecorated(_event: Any, _context: Any, me: Session) -> Any:
    """For a decorator that is called."""
    return me.respond()


later = sessions.protect(undecorated)
authorize = sessions.authorizer(any_group=["admin"], simple=False)


async def calls() -> None:
    """What protect made is called as Lambda calls it."""
    event: dict[str, Any] = {}
    print(plain(event, None), text(event), home(event, None), tolerant(event), later(event, None), coroutine(event, None))
    print(await coroutine.aio(event, None), await coroutine_home.aio(event), authorize(event, None))


def seed(event: dict[str, Any], context: LambdaContext) -> Any:
    """The seed's call."""
    try:
        me = session("token", event, context)
    except SessionUnavailable as error:
        print(error.retry_after)
        return error.respond()
    except SessionError as error:
        return error.respond()
    tokens: dict[str, Any] | None = me.cognito
    return me.respond(200, {"hello": me.username, "new": tokens is not None})


def hook(event: Report) -> None:
    """An event hook that is a function of its own."""
    names: list[str] = [event.event, event.sub, event.sid or "", event.detail, event.address]
    print(names)


hooked = SessionManager.from_env(on_event=hook)


def who(cookie_header: str | list[str] | None) -> str:
    """Values, each of its own type; nothing else is possible."""
    outcome: Outcome = sessions.resolve(cookie_header, remaining_seconds=3.0, extend=False)
    match outcome:
        case Refreshed(session=me):
            return me.sub
        case Active(session=me):
            return me.sub + ",".join(me.groups)
        case Rejected(reason=why):
            reason: Reason = why
            return reason.value


def life(tokens: dict[str, Any], header: str) -> tuple[str, ...]:
    """From sign-in to sign-out."""
    me = sessions.establish(tokens, cookie_header=header, user_agent="x")
    me = sessions.save_data(me, {"theme": "dark"})
    devices: list[SessionInfo] = sessions.sessions_of(me.sub, current=me.sid)
    for each in devices:
        print(each.device, each.created_at, each.current)
    ended: bool = sessions.revoke(me.sub, me.sid)
    others: int = sessions.revoke_all(me.sub, keep=me.sid)
    seen = current_session()
    facts: list[int | None] = [me.auth_time, me.token_expires_at, me.session_expires_at]
    print(ended, others, facts, seen.sub if seen is not None else None, sessions.csrf_token(me), decode_token("x")["sub"])
    return (*me.set_cookies, *sessions.sign_out([header]))


async def asynchronous(tokens: dict[str, Any], header: str) -> None:
    """The same with coroutines."""
    manager = AsyncSessionManager.from_env(policy=SessionPolicy(on_reuse="reject"), store=None)
    outcome = await manager.resolve(header)
    if isinstance(outcome, Rejected):
        return
    me = await manager.establish(tokens)
    print(outcome.session.sub, await manager.revoke_all(me.sub), await manager.sign_out(header), await manager.csrf_token(me))


def errors() -> list[SessionError]:
    """Each with what it carries."""
    return [SessionRequired("x"), SessionForbidden(reason="y"), SessionUnavailable(retry_after=1), ConfigurationError("z")]


def told(error: SessionError) -> float | bool | int | None:
    """Errors that carry more than the others."""
    match error:
        case StaleSignIn():
            return error.max_age
        case StoreUnavailable() | KeysUnavailable() | LeaseBusy():
            return error.retry_after
        case ProviderUnavailable():
            return error.sent
        case SessionConflict():
            return error.status
        case _:
            return None


app = APIGatewayRestResolver()
app.use(middlewares=[session_middleware(sessions, login_path="/login")])  # pyright: ignore[reportUnknownMemberType] # Powertools leaves it open
