"""Programs of ASGI, Starlette and FastAPI authors."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI
from fastapi import Request as FastRequest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cognito_session import AsyncSessionManager, Session, SessionManager
from cognito_session.web.asgi import CognitoSessionMiddleware, Receive, Scope, Send, request_session_of
from cognito_session.web.fastapi import CognitoAuth
from cognito_session.web.starlette import establish, required_session_of, session_of, sign_out

sessions = AsyncSessionManager.from_env()
login = sessions.managed_login(base_url="https://app.example")


async def bare(scope: Scope, _receive: Receive, send: Send) -> None:
    """An application without a framework."""
    me = await request_session_of(scope).asession()
    body = b"nobody" if me is None else me.sub.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


wrapped = CognitoSessionMiddleware(bare, SessionManager.from_env(), login_path="/login")


async def home(request: Request) -> Response:
    """Starlette: with or without a session."""
    me: Session | None = await session_of(request)
    must: Session = await required_session_of(request, sessions)
    return JSONResponse({"hello": must.username, "also": me.sid if me else None})


async def begin(request: Request) -> Response:
    """Starlette: the whole life of a session."""
    me = await establish(request, {"AccessToken": "x"})
    me.require(max_age=300)
    await sign_out(request)
    return JSONResponse(me.sub)


async def start(request: Request) -> Response:
    """Managed login in Starlette."""
    answer: Response = await login.start(request, return_to="/", prompt="login", sign_up=True)
    return answer


starlette = Starlette(
    routes=[Route("/", home), Route("/login", start), Route("/begin", begin, methods=["POST"])],
    middleware=[Middleware(CognitoSessionMiddleware, sessions, login_path="/login")],
)
starlette.add_middleware(CognitoSessionMiddleware, sessions=sessions)

auth = CognitoAuth(sessions, login_path="/login")
Me = Annotated[Session, Depends(auth.required)]
MaybeMe = Annotated[Session | None, Depends(auth.optional)]
Admin = Annotated[Session, Depends(auth.require(any_group=["admin"], scopes={"orders/read"}, max_age=300))]

app = FastAPI()
auth.init_app(app)


@app.get("/")
async def maybe(me: MaybeMe) -> dict[str, str | None]:
    """FastAPI: with or without a session."""
    return {"hello": me.username if me else None}


@app.get("/profile")
def profile(me: Me) -> dict[str, Any]:
    """FastAPI: with a session, in a sync endpoint."""
    return {"sub": me.sub, "groups": me.groups}


@app.delete("/users/{name}")
async def remove(name: str, me: Admin) -> str:
    """FastAPI: with a guard."""
    return name + me.sub


@app.post("/sign-in")
async def sign_in(request: FastRequest) -> str:
    """FastAPI: begin and end."""
    me = await auth.establish(request, {"AccessToken": "x"})
    await auth.sign_out(request)
    return me.sub


app.dependency_overrides[auth.optional] = lambda: None
