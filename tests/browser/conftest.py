"""One deployment, one site and one browser for all tests here; one user and one browser context for each test."""

from __future__ import annotations

import pytest

from browser.chromium import chromium_of
from browser.site import Site
from browser.visitor import Visitor
from examples.demo.deployment import Deployment


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs a test with a visitor in the browser's thread."""
    if "visit" not in pyfuncitem.fixturenames:
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    chromium_of(pyfuncitem.config).run(pyfuncitem.obj, **arguments)
    return True


@pytest.fixture(scope="session")
def served():
    """The demo's deployment and its served site."""
    with Deployment.started() as deployment, deployment.served() as gateway:
        yield Site(deployment, gateway)


@pytest.fixture
def site(served):
    """The site. Removes injected faults before and after the test."""
    served.deployment.stack.clear_faults()
    yield served
    served.deployment.stack.clear_faults()


@pytest.fixture
def user(site):
    """A new user in no group."""
    return site.new_user()


@pytest.fixture
def visit(request, site):
    """Makes visitors, each with a browser context of its own; fails the test if a page's script failed."""
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
    """The user pool requires a second factor of every user during the test."""
    pool = {"UserPoolId": site.deployment.pool.user_pool_id, "SoftwareTokenMfaConfiguration": {"Enabled": True}}
    site.stack.cognito("SetUserPoolMfaConfig", MfaConfiguration="ON", **pool)
    yield
    site.stack.cognito("SetUserPoolMfaConfig", MfaConfiguration="OPTIONAL", **pool)
