"""Programs of users that type checkers must accept as they stand. Never run: only read by mypy and pyright."""

from __future__ import annotations

from typing import Annotated, Any

import flask
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from fastapi import Depends, FastAPI, Request
from starlette.requests import Request as StarletteRequest

from cognito_session import (
    Active,
    AsyncSessionManager,
    Refreshed,
    Rejected,
    Session,
    SessionError,
    SessionManager,
    SessionPolicy,
    current_session,
    decode_token,
    session,
)
from cognito_session.signin.outcome import ChallengeRequired, CodeSent, Done, Established, Refused
from cognito_session.testing import Cognito
from cognito_session.web.asgi import CognitoSessionMiddleware, visit_of
from cognito_session.web.csrf import Csrf
from cognito_session.web.fastapi import CognitoAuth
from cognito_session.web.flask import CognitoSession, session_required
from cognito_session.web.powertools import session_middleware
from cognito_session.web.starlette import required_session_of, session_of
from cognito_session.web.wsgi import CognitoSessionMiddleware as WSGIMiddleware

sessions = SessionManager.from_env(policy=SessionPolicy(idle_seconds=600), csrf=Csrf(exempt=["/hooks/*"]))
asessions = AsyncSessionManager.from_env(prefix="ADMIN_", cookie_name="__Host-admin")


def seed_style(event: dict[str, Any], context: object) -> Any:
    """The seed's call."""
    try:
        me = session("token", event, context)
    except SessionError as error:
        return error.respond()
    return me.respond(200, {"hello": me.username, "cognito": me.cognito is not None})


@sessions.protect
def handler(event: dict[str, Any], context: object, me: Session) -> dict[str, Any]:
    """A protected handler."""
    me.require(any_group=["admin"], scopes=["orders/read"], max_age=300)
    return {"statusCode": 200, "body": me.sub}


@sessions.protect(login_path="/login")
async def later(event: dict[str, Any], context: object, me: Session) -> dict[str, Any]:
    """An asynchronous one."""
    return {"statusCode": 200, "body": me.sub}


@sessions.protect(optional=True)
def home(event: dict[str, Any], context: object, me: Session | None) -> dict[str, Any]:
    """For anybody."""
    return {"statusCode": 200, "body": me.sub if me else "stranger"}


answer: Any = handler({}, None)
coroutine: Any = later.aio({}, None)


def who(cookie_header: str) -> str:
    """Values, no exceptions, for denial."""
    match sessions.resolve(cookie_header):
        case Refreshed(session=me) | Active(session=me):
            return me.username
        case Rejected(reason=why):
            return why.value


def manage(me: Session, tokens: dict[str, Any]) -> tuple[str, ...]:
    """Devices and data."""
    for each in sessions.sessions_of(me.sub, current=me.sid):
        print(each.device, each.current)
    sessions.revoke_all(me.sub, keep=me.sid)
    fresh: Session = sessions.establish(tokens, cookie_header=["a=b"], user_agent=None)
    return (*fresh.set_cookies, sessions.csrf_token(me), str(decode_token("x")["sub"]))


authorize = sessions.authorizer(any_group=["staff"])
policy: dict[str, Any] = authorize({}, None)

login = sessions.managed_login(base_url="https://app.example", scopes=("openid",))
alogin = asessions.managed_login()
flows = sessions.password_flows()


def sign_in(cookies: str) -> str:
    """Outcomes of a password."""
    match flows.sign_in("alice", "secret", cookie_header=cookies):
        case Established(session=me):
            return me.sub
        case ChallengeRequired(name=name, prompt=prompt):
            return name + str(prompt.destination)
        case Refused(reason=why):
            return why.value


def sign_up() -> str:
    """Outcomes of a registration."""
    match flows.register("alice", "secret", attributes={"email": "a@b.example"}):
        case CodeSent(destination=where):
            return where or "sent"
        case Done():
            return "done"
        case Refused(reason=why):
            return why


auth = CognitoAuth(asessions, login_path="/login")
Me = Annotated[Session, Depends(auth.required)]
MaybeMe = Annotated[Session | None, Depends(auth.optional)]
Admin = Annotated[Session, Depends(auth.require(any_group=["admin"]))]
api = FastAPI()
auth.init_app(api)


@api.get("/me")
async def me_of(me: Me, maybe: MaybeMe, admin: Admin) -> dict[str, str]:
    """FastAPI."""
    return {"me": me.sub, "maybe": maybe.sub if maybe else "", "admin": admin.sub}


@api.get("/login")
async def go(request: Request) -> Any:
    """Managed login."""
    return await alogin.start(request, return_to="/me")


async def starlette_view(request: StarletteRequest) -> str:
    """Starlette."""
    maybe = await session_of(request)
    return (await required_session_of(request)).sub + (maybe.sub if maybe else "")


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """ASGI."""
    (await visit_of(scope, asessions).arequired()).require(max_age=60)


asgi_app = CognitoSessionMiddleware(plain, asessions, login_path="/login")
wsgi_app = WSGIMiddleware(flask.Flask("x"), sessions)

site = flask.Flask("site")
extension = CognitoSession(site, sessions, login_path="/login")


@site.get("/admin")
@session_required(any_group=["admin"])
def admin() -> dict[str, str]:
    """Flask."""
    me = current_session()
    return {"hello": me.username if me else ""}


resolver = APIGatewayHttpResolver()
resolver.use(middlewares=[session_middleware(sessions)])


def test_with_the_kit(cognito: Cognito) -> None:
    """The test kit."""
    attached: SessionManager = cognito.attach(sessions)
    event = cognito.event("http-v2", groups=["admin"], user="alice")
    assert handler(event, cognito.context)["statusCode"] == 200
    for run in cognito.interleavings(lambda: handler(event), lambda: handler(event)):
        assert run.first == run.second
    assert attached
