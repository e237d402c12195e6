"""A SessionError that a task group has put into a group is the answer that it stands for."""

from __future__ import annotations

import asyncio
import json

import django
import fastapi
import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from cognito_session import SessionForbidden, SessionRequired, SessionUnavailable
from cognito_session.web.asgi import CognitoSessionMiddleware
from cognito_session.web.django import CognitoSessionMiddleware as DjangoMiddleware
from cognito_session.web.fastapi import CognitoAuth
from doors import wires
from managed.scene import sealed
from support.stack import cookie_of, event_v2
from web.gateways import Call

if not settings.configured:
    settings.configure(LOGGING_CONFIG=None, SECRET_KEY="django's own")
    django.setup()

ERRORS = [(SessionRequired, 401), (SessionForbidden, 403), (SessionUnavailable, 503)]


async def in_a_group(*errors):
    """What a handler does: run tasks of which these fail, one of them in a group of its own."""

    async def fail(error):
        raise error

    async def nested(error):
        async with asyncio.TaskGroup() as inner:
            inner.create_task(fail(error))

    async with asyncio.TaskGroup() as group:
        for number, error in enumerate(errors):
            group.create_task(nested(error) if number == 0 else fail(error))


@pytest.fixture(params=["bare", "fastapi", "django"])
def ask(request, app):
    """Ask an application of each kind whose handler runs tasks that fail with these errors; the status and the reason."""
    manager = sealed(app)

    def ask_it(*errors):
        if request.param == "django":
            return django_answer(manager, *errors)
        if request.param == "fastapi":
            application = fastapi_application(manager, *errors)
        else:

            async def bare(_scope, _receive, _send):
                await in_a_group(*errors)

            application = CognitoSessionMiddleware(bare, manager)
        answer = wires.asgi(application)(Call("GET", "/me"))
        return answer.status, json.loads(answer.body)["reason"]

    return ask_it


def fastapi_application(manager, *errors):
    """FastAPI's."""
    application = fastapi.FastAPI()
    CognitoAuth(manager).init_app(application)

    @application.get("/me")
    async def me():
        await in_a_group(*errors)

    return application


def django_answer(manager, *errors):
    """What the middleware answers for a view that failed."""
    with override_settings(COGNITO_SESSION={"MANAGER": manager}):
        middleware = DjangoMiddleware(lambda _: HttpResponse("served"))
        request = RequestFactory().get("/me")
        middleware(request)
        try:
            asyncio.run(in_a_group(*errors))
        except Exception as error:
            answer = middleware.process_exception(request, error)
            if answer is None:
                raise
            return answer.status_code, json.loads(answer.content)["reason"]
    raise AssertionError("unreachable: the tasks fail")


@pytest.mark.parametrize(("kind", "status"), ERRORS)
def test_a_group_of_one_is_answered(ask, kind, status):
    """Also where a group stands within a group."""
    error = kind("x")
    assert ask(error) == (status, error.reason)


def test_a_group_with_a_fault_of_the_applications_own_stays_what_it_is(ask):
    """It passes through whole."""
    with pytest.raises(ExceptionGroup):
        ask(SessionRequired("x"), RuntimeError("the application's own fault"))


def test_a_lambda_handler(app):
    """The same for an async handler below `protect`."""
    manager = sealed(app)
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))

    @manager.protect
    async def handler(event, context, me):
        await in_a_group(SessionForbidden("x"))

    assert handler(event_v2(cookie))["statusCode"] == 403
