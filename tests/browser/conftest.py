"""One world, one site, one browser for all tests here; one user and one context of the browser for each test."""

from __future__ import annotations

import pytest

from browser.chromium import chromium_of
from browser.site import Site
from browser.visitor import Visitor
from examples.demo.deployment import Deployment


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """A test with a visitor runs in the browser's thread."""
    if "visit" not in pyfuncitem.fixturenames:
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    chromium_of(pyfuncitem.config).run(pyfuncitem.obj, **arguments)
    return True


@pytest.fixture(scope="session")
def served():
    """The demo's world with its site in it."""
    with Deployment.started() as deployment, deployment.served() as gateway:
        yield Site(deployment, gateway)


@pytest.fixture
def site(served):
    """The site, without trouble left behind."""
    served.deployment.stack.clear_faults()
    yield served
    served.deployment.stack.clear_faults()


@pytest.fixture
def user(site):
    """Somebody new, in no group."""
    return site.somebody()


@pytest.fixture
def visit(request, site):
    """Makes visitors, each with a browser of their own (a context: cookies, storage); looks afterwards for broken scripts."""
    chromium = chromium_of(request.config)
    visitors: list[Visitor] = []

    def make(**options):
        visitors.append(Visitor(site, chromium.browser.new_context(**options)))
        return visitors[-1]

    yield make
    chromium.run(lambda: [visitor.leave() for visitor in visitors])
    assert [fault for visitor in visitors for fault in visitor.faults] == []


@pytest.fixture
def second_factor_for_all(site):
    """The user pool asks everybody for a second factor, for the time of a test."""
    pool = {"UserPoolId": site.deployment.pool.user_pool_id, "SoftwareTokenMfaConfiguration": {"Enabled": True}}
    site.stack.cognito("SetUserPoolMfaConfig", MfaConfiguration="ON", **pool)
    yield
    site.stack.cognito("SetUserPoolMfaConfig", MfaConfiguration="OPTIONAL", **pool)
