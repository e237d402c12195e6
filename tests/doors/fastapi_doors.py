"""The application as FastAPI's, with endpoints of either kind, and unchanged in Lambda below Mangum."""

# Annotations are not postponed in this file: FastAPI reads those of endpoints, which here name objects of a function.

import asyncio
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from mangum import Mangum

from cognito_session.web.fastapi import CognitoAuth
from doors.asgi_doors import as_starlette
from doors.lambda_doors import Build, Context
from doors.page import GUARDS, LOGIN, ROUTES, Site, say
from doors.wires import Ask, asgi, gateway
from support.stack import in_thread

__all__ = ["fastapi_door", "mangum_door"]


def fastapi_door(*, asynchronous: bool) -> Build:
    """Guards as dependencies, on coroutines or on plain functions, which FastAPI calls in threads."""
    return lambda site: asgi(_application(site, asynchronous=asynchronous))


def mangum_door(form: str) -> Build:
    """The same application behind a gateway."""

    def build(site: Site) -> Ask:
        application = _application(site, asynchronous=True)
        # Lambda's main thread has a loop of its own; ours is pytest's.
        return gateway(form, lambda event, context: in_thread(_in_a_loop, application, event, context).result(), Context())

    return build


def _in_a_loop(application: FastAPI, event: Any, context: Any) -> Any:
    """Mangum looks for the thread's loop when it is made, too."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return Mangum(application, lifespan="off")(event, context)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _application(site: Site, *, asynchronous: bool) -> FastAPI:
    auth = CognitoAuth(site.async_manager if asynchronous else site.manager, login_path=LOGIN)
    application = FastAPI()
    auth.init_app(application)
    guards: dict[str | None, Any] = {None: _nobody, "optional": auth.optional, "required": auth.required}
    guards |= {name: auth.require(**wanted) for name, wanted in GUARDS.items()}
    for path, (need, method) in ROUTES.items():
        chosen = _endpoint(site, auth, path, guards[need], asynchronous=asynchronous)
        methods = ["GET", "HEAD"] if method == "GET" else [method]
        application.add_api_route(path, chosen, methods=methods, response_model=None)
    return application


async def _nobody() -> None:
    """Who is asked for where nobody is."""


async def _body_of(request: Request) -> str:
    return (await request.body()).decode()


def _endpoint(site: Site, auth: CognitoAuth, path: str, guard: Any, *, asynchronous: bool) -> Any:
    Me, Body = Annotated[Any, Depends(guard)], Annotated[str, Depends(_body_of)]  # noqa: N806 - they are types

    def answer(me: Me, body: Body) -> Any:
        said = say(site, path, me, body)
        if said.missing:
            raise HTTPException(404)
        return as_starlette(said)

    async def coroutine(me: Me, body: Body) -> Any:
        return answer(me, body)

    async def turn(request: Request, me: Me, body: Body) -> Any:
        await (auth.establish(request, site.box.tokens) if path == "/sign-in" else auth.sign_out(request))
        return answer(me, body)

    if path in ("/sign-in", "/sign-out"):
        return turn
    return coroutine if asynchronous else answer
