"""The demo's site as the browser tests use it: its address, its users, the calls behind its pages."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from cognito_session.local.gateway import Gateway
from examples.demo.call_counts import CallCounts
from examples.demo.demo_tools import DemoUser
from examples.demo.deployment import Deployment, base_url

__all__ = ["NEW_PASSWORD", "PASSWORD", "Site"]

PASSWORD = "Password-1865!"
NEW_PASSWORD = "Password-1871!"
_numbers = count(1)


@dataclass(frozen=True)
class Site:
    """One site of one deployment, shared by all tests."""

    deployment: Deployment
    gateway: Gateway

    @property
    def url(self) -> str:
        """The address of the site."""
        return base_url(self.gateway)

    @property
    def cognito(self) -> str:
        """The address of Cognito."""
        return self.deployment.stack.url

    @property
    def stack(self) -> Any:
        """The embedded stack."""
        return self.deployment.stack

    def new_user(self, *groups: str) -> DemoUser:
        """A new user."""
        user = DemoUser(f"user-{next(_numbers)}", PASSWORD, "")
        self.deployment.add(user, groups=groups)
        return user

    def unused_name(self) -> str:
        """A user name that does not exist."""
        return f"newcomer-{next(_numbers)}"

    def cost(self, act: Any) -> CallCounts:
        """The calls to AWS during an action."""
        meter = self.deployment.meter
        mark = meter.mark()
        act()
        return meter.since(mark)
