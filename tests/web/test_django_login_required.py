"""Django's own login_required in front of managed login: the user comes back to the page that asked for the sign-in."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path

from doors import django_doors  # noqa: F401 - it configures Django
from managed.scene import ring, sealed
from support.stack import PASSWORD, make_app

ORIGIN = "https://testserver"


class UserMiddleware:
    """Gives Django's decorators the user that they ask for, as the project's own middleware does."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.user = SimpleNamespace(is_authenticated=request.cognito_session is not None)
        return self.get_response(request)


@login_required(login_url="/login")
def orders(request):
    return HttpResponse(f"orders of {request.cognito_session.username}, page {request.GET.get('page')}")


class Site:
    """The project and its browser."""

    def __init__(self, app, manager):
        self.app = app
        login = manager.managed_login()
        routes = {"orders/": orders, "login": login.start, "auth/callback": login.callback}
        self.urls = type("Urls", (), {"urlpatterns": [path(where, view) for where, view in routes.items()]})
        self.browser = Client()

    def get(self, address):
        return self.browser.get(address.removeprefix(ORIGIN), secure=True, headers={"sec-fetch-mode": "navigate"})

    def sign_in_at_cognito(self, address, user):
        """Fill in managed login's form; the callback's address."""
        fields = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        with httpx.Client(base_url=self.app.stack.url) as cognito:
            assert cognito.get(address).status_code == 200
            posted = cognito.post("/login", data={**fields, "username": user.username, "password": PASSWORD})
        return posted.headers["location"]


@pytest.fixture
def app(stack):
    """An app whose client allows managed login."""
    return make_app(stack, sort_key="sid", callback_urls=(f"{ORIGIN}/auth/callback",))


@pytest.fixture(params=["sync", "async"])
def site(app, request):
    """A Django project with managed login; the manager of Django's middleware is of either kind."""
    keywords = {"cognito_domain": app.stack.url, "app_base_url": ORIGIN}
    manager = middleware = sealed(app, **keywords)
    if request.param == "async":
        middleware = app.async_manager(cookie="sealed", cookie_name=None, session_keys=ring(1), app_base_url=ORIGIN)
    made = Site(app, manager)
    with override_settings(
        ROOT_URLCONF=made.urls,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],  # login_required imports their models
        MIDDLEWARE=[
            "cognito_session.web.django.CognitoSessionMiddleware",
            f"{__name__}.{UserMiddleware.__name__}",
        ],
        ALLOWED_HOSTS=["testserver"],
        COGNITO_SESSION={"MANAGER": middleware},
    ):
        yield made


def test_the_user_comes_back_to_the_page(site):
    """`?next=` of login_required survives the way to Cognito and back, with its own query."""
    user = site.app.user()
    refused = site.get("/orders/?page=2")
    assert (refused.status_code, refused["Location"]) == (302, "/login?next=/orders/%3Fpage%3D2")
    started = site.get(refused["Location"])
    back = site.sign_in_at_cognito(started["Location"], user)
    arrived = site.get(back)
    assert (arrived.status_code, arrived["Location"]) == (303, "/orders/?page=2")
    page = site.get(arrived["Location"])
    assert (page.status_code, page.content.decode()) == (200, f"orders of {user.username}, page 2")


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_next_leads_to_no_other_site(site, wanted):
    """A crafted `next` is followed under the rules of return_to: the user lands on the site's own first page."""
    started = site.get(f"/login?{urlencode({'next': wanted})}")
    arrived = site.get(site.sign_in_at_cognito(started["Location"], site.app.user()))
    assert (arrived.status_code, arrived["Location"]) == (303, "/")
