"""The demo's site as the browser tests see it: its address, its people, what its pages cost."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from cognito_session.local.gateway import Gateway
from examples.demo.backstage import Person
from examples.demo.tally import Tally
from examples.demo.world import World, base_url

__all__ = ["NEW_PASSWORD", "PASSWORD", "Site"]

PASSWORD = "Password-1865!"
NEW_PASSWORD = "Password-1871!"
_numbers = count(1)


@dataclass(frozen=True)
class Site:
    """One site in one world, shared by all tests."""

    world: World
    gateway: Gateway

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return base_url(self.gateway)

    @property
    def cognito(self) -> str:
        """Where Cognito is."""
        return self.world.stack.url

    @property
    def stack(self) -> Any:
        """The embedded stack."""
        return self.world.stack

    def somebody(self, *groups: str) -> Person:
        """A new user."""
        person = Person(f"person-{next(_numbers)}", PASSWORD, "")
        self.world.add(person, groups=groups)
        return person

    def a_name(self) -> str:
        """A user name that nobody has."""
        return f"newcomer-{next(_numbers)}"

    def cost(self, act: Any) -> Tally:
        """What AWS was asked while something was done."""
        meter = self.world.meter
        mark = meter.mark()
        act()
        return meter.since(mark)
