"""A guard in the wrong order guards nothing: it is refused before anybody is served."""

from __future__ import annotations

from pathlib import Path

import flask
import pytest
from django.http import HttpRequest, HttpResponse
from django.views import View
from django.views.generic import TemplateView
from flask.views import MethodView

from cognito_session import ConfigurationError
from cognito_session.web import django as ours
from cognito_session.web.flask import CognitoSession, session_required
from doors import django_doors, wires  # noqa: F401 - the doors configure Django
from managed.scene import sealed
from web.gateways import Call

MESSAGE = "put @session_required below @app.route"


@pytest.fixture
def application():
    """A Flask application without sessions yet."""
    return flask.Flask("order", root_path=str(Path(__file__).parent))


def test_flask_refuses_a_guard_above_the_route(app, application):
    """When the view is decorated, with the application already set up; also with guards and on a coroutine."""
    CognitoSession(application, sealed(app))
    with pytest.raises(ConfigurationError, match=MESSAGE):

        @session_required
        @application.get("/a")
        def a() -> str:
            return "secret"

    with pytest.raises(ConfigurationError, match=MESSAGE):

        @session_required(any_group=["admins"])
        @application.route("/b", methods=["POST"])
        async def b() -> str:
            return "secret"


def test_flask_refuses_it_when_the_application_is_set_up_later(app, application):
    """As an application factory does it: init_app after the views."""

    @session_required
    @application.get("/a")
    def a() -> str:
        return "secret"

    with pytest.raises(ConfigurationError, match=r"the view .*a without it"):
        CognitoSession(application, sealed(app))


@pytest.mark.parametrize("registered_first", [False, True])
def test_flask_refuses_it_in_a_blueprint(app, application, registered_first):
    """A blueprint registers its views later, below our extension or before it."""
    blueprint = flask.Blueprint("area", "area")

    @session_required
    @blueprint.get("/a")
    def a() -> str:
        return "secret"

    sessions = CognitoSession(manager=sealed(app))
    steps = [lambda: sessions.init_app(application), lambda: application.register_blueprint(blueprint)]
    first, second = reversed(steps) if registered_first else steps
    first()
    with pytest.raises(ConfigurationError, match=MESSAGE):
        second()


def test_flask_serves_the_right_order(app, application):
    """Below the route in an application, a blueprint and a class-based view; other views beside them."""
    blueprint = flask.Blueprint("area", "area")

    @application.get("/a")
    @session_required
    def a() -> str:
        return "secret"

    @blueprint.get("/b")
    @session_required(any_group=["admins"])
    def b() -> str:
        return "secret"

    class C(MethodView):
        decorators = (session_required,)

        def get(self) -> str:
            return "secret"

    @application.get("/public")
    def public() -> str:
        return "public"

    application.add_url_rule("/c", view_func=C.as_view("c"))
    CognitoSession(application, sealed(app))
    application.register_blueprint(blueprint)
    ask = wires.wsgi(application)
    assert [ask(Call("GET", path)).status for path in ("/a", "/b", "/c", "/public")] == [401, 401, 401, 200]


def test_flask_serves_a_guarded_view_below_another_guard(app, application):
    """A view that is guarded at one path and guarded more strictly at another is in no wrong order."""
    CognitoSession(application, sealed(app))

    @application.get("/a")
    @session_required
    def a() -> str:
        return "secret"

    application.add_url_rule("/b", "b", session_required(any_group=["admins"])(a))
    ask = wires.wsgi(application)
    assert [ask(Call("GET", path)).status for path in ("/a", "/b")] == [401, 401]


def test_flask_refuses_a_class(application):
    """A class-based view has an attribute for its decorators."""
    with pytest.raises(ConfigurationError, match="decorators"):

        @session_required
        class C(MethodView):
            """Never routed."""


def test_django_refuses_the_mixin_behind_the_view():
    """View's own dispatch would come first and serve everybody; in front of it, or of generic views, it is fine."""
    for base in (View, TemplateView):
        with pytest.raises(ConfigurationError, match="must stand before View"):
            type("Wrong", (base, ours.SessionRequiredMixin), {})
        type("Right", (ours.SessionRequiredMixin, base), {})
    own = type("Own", (), {"dispatch": lambda self, request: None})
    type("Right", (own, ours.SessionRequiredMixin, View), {})


def test_django_refuses_a_class_below_the_decorator():
    """The decorator is for functions, and says what classes need."""
    with pytest.raises(ConfigurationError, match="SessionRequiredMixin"):

        @ours.session_required
        class Page(View):
            def get(self, request: HttpRequest) -> HttpResponse:
                return HttpResponse("secret")
