"""Mistakes of ASGI, Starlette and FastAPI authors: each marked line must be refused, and no other."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.middleware import Middleware

from cognito_session import AsyncSessionManager, Session
from cognito_session.web.asgi import CognitoSessionMiddleware
from cognito_session.web.fastapi import CognitoAuth
from cognito_session.web.starlette import required_session_of, session_of

sessions = AsyncSessionManager.from_env()
AsyncSessionManager.from_env(cookies="sealed")  # refused
CognitoSessionMiddleware(sessions, sessions)  # refused
Middleware(CognitoSessionMiddleware, sessions, login_paths="/login")  # refused
auth = CognitoAuth()  # refused
auth = CognitoAuth(sessions, "/login")  # refused
auth = CognitoAuth("user-pool")  # refused
auth.init_app(sessions)  # refused

auth.require(groups=["admin"])  # refused
auth.require(any_group=7)  # refused
auth.require(max_age="300")  # refused
auth.requires(any_group=["admin"])  # refused

Me = Annotated[Session, Depends(auth.required)]
MaybeMe = Annotated[Session | None, Depends(auth.optional)]
app = FastAPI()


@app.get("/")
async def home(me: MaybeMe) -> str:
    """There may be nobody."""
    return me.username  # refused


@app.get("/profile")
async def profile(me: Me) -> str:
    """A session has no such thing."""
    return me.set_cookies[0].name  # refused


async def waits(request: Request) -> str:
    """Nothing of it is awaited, or it may be None."""
    me = session_of(request)
    print(me.sub)  # refused
    required_session_of(request).require()  # refused
    outcome = sessions.resolve("a=b")
    print(outcome.session)  # refused
    return (await session_of(request)).sub  # refused
