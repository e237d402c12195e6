"""The demo's site as the browser tests see it: its address, its people, what its pages cost."""

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
    """One site in one world, shared by all tests."""

    deployment: Deployment
    gateway: Gateway

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return base_url(self.gateway)

    @property
    def cognito(self) -> str:
        """Where Cognito is."""
        return self.deployment.stack.url

    @property
    def stack(self) -> Any:
        """The embedded stack."""
        return self.deployment.stack

    def somebody(self, *groups: str) -> DemoUser:
        """A new user."""
        person = DemoUser(f"person-{next(_numbers)}", PASSWORD, "")
        self.deployment.add(person, groups=groups)
        return person

    def a_name(self) -> str:
        """A user name that nobody has."""
        return f"newcomer-{next(_numbers)}"

    def cost(self, act: Any) -> CallCounts:
        """What AWS was asked while something was done."""
        meter = self.deployment.meter
        mark = meter.mark()
        act()
        return meter.since(mark)
