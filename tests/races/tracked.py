"""The scheduler's world with a user pool that tracks devices: a session whose device is not confirmed cannot be refreshed.

ConfirmDevice and ForgetDevice are lost before or after they work, and throttled; a worker dies or hangs around them. What can
be confirmed while its token lives is not lost. What Cognito has refused for good ends as a 401.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from cognito_session.core.crypto.access_token import AccessToken
from cognito_session.core.errors import ProviderUnavailable
from cognito_session.core.protocol import device_tracking as tracking
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.core.protocol.record import SessionRecord
from cognito_session.core.protocol.steps import ConfirmDevice, Flow, ForgetDevice, Refresh, ask
from races import pool_model
from races.explore import _check_rest, _check_visit, _latest_cookie, visit
from races.pool_model import PoolRules
from races.world import START, TICK, Actor, Scenario, Stage, Violation, World, _frozen

__all__ = ["TRACKED_RULES", "Tracked", "TrackedMutant", "TrackedScenario", "long", "short"]

VERIFIER = "c2FsdA==:dmVyaWZpZXI="
POLL_SECONDS = 4
"""How often the client without faults comes."""


@dataclass(frozen=True)
class TrackedScenario(Scenario):
    """`known`: the first session's device is confirmed already. `deny`: how often ConfirmDevice is refused for good."""

    known: bool = False
    deny: int = 0
    life_left: int = 60

    def stage(self) -> Stage:
        return Tracked(self)


class Tracked(Stage):
    """Runs actors over a pool that tracks devices."""

    scenario: TrackedScenario

    def first_world(self) -> World:
        world = super().first_world()
        row: dict[str, Any] = dict(world.row or {}) | {"device_key": _key("first")}
        if self.scenario.known:
            return world._replace(row=_frozen(row))
        pool = world.pool._replace(unconfirmed=frozenset({"first"}))
        return world._replace(row=_frozen(row | {"device_pending": VERIFIER}), pool=pool)

    def _signed_in(self, world: World, actor: Actor) -> World:
        world = super()._signed_in(world, actor)
        return world._replace(pool=world.pool._replace(unconfirmed=world.pool.unconfirmed | {"sign-in"}))

    def _flow(self, world: World, actor: Actor) -> Any:
        if actor.kind != "sign-in":
            return super()._flow(world, actor)
        from cognito_session.core.protocol.establish import SignedIn, establish

        access = pool_model.access_token("a-sign-in", "sign-in", START, self.scenario.rules.life)
        signed_in = SignedIn(access, "rt-sign-in", _key("sign-in"), "group")
        return establish(self.context, signed_in, presented=actor.cookie)

    def _replay(self, world: World, actor: Actor) -> tuple[Any, Any, Any]:
        from races.mutants import patched

        with patched(tracking, "device_verifier", lambda *_: VERIFIER):  # the arithmetic takes longer than the search
            return super()._replay(world, actor)

    def _options(self, world: World, actor: Actor) -> tuple[list[str], bool]:
        options, urgent = super()._options(world, actor)
        _, loss, *_, throttle = world.budget
        if actor.status == "ready" and isinstance(actor.result, ConfirmDevice | ForgetDevice):
            options += ["lost before", "lost after"] if loss else []
            options += ["throttled"] if throttle else []
            denied = sum(fact[0] == "denied" for fact in world.facts)
            if isinstance(actor.result, ConfirmDevice) and denied < self.scenario.deny and actor.kind != "visit":
                options.append("denied")
        return options, urgent

    def _perform(self, world: World, index: int, actor: Actor, variant: str) -> World:
        step = actor.result
        if not isinstance(step, ConfirmDevice | ForgetDevice):
            if isinstance(step, Refresh) and variant == "do":
                self._check_refresh(world, step)
            return super()._perform(world, index, actor, variant)
        if variant == "lost before":
            return self._resume(self._spend(world, 1), index, "fault", ProviderUnavailable("lost", sent=None))
        if variant == "throttled":
            return self._resume(self._spend(world, 5), index, "fault", ProviderUnavailable("throttled", sent=True))
        family = _family(step)
        if isinstance(step, ConfirmDevice) and variant != "denied" and self._expired(world, family):
            return self._resume(world, index, "answer", PoolRefusal("NotAuthorizedException"))
        if isinstance(step, ConfirmDevice) and (variant == "denied" or ("denied", family) in world.facts):
            world = world._replace(facts=world.facts | {("denied", family)})
            return self._resume(world, index, "answer", PoolRefusal("InvalidParameterException"))
        world = self._at_cognito(world, step, family)
        if variant == "lost after":
            return self._resume(self._spend(world, 1), index, "fault", ProviderUnavailable("lost", sent=None))
        return self._resume(world, index, "answer", None)

    def _expired(self, world: World, family: str) -> bool:
        """Cognito takes no access token after its end. The session of an unconfirmed device has one token."""
        rules, first = self.scenario.rules, START + self.scenario.life_left
        return world.now >= (first if family == "first" else START + rules.life)

    def _at_cognito(self, world: World, step: Any, family: str) -> World:
        """Operations by an access token: the model's access tokens outlive a revocation, as Cognito's do for a while."""
        facts, unconfirmed = set(world.facts), world.pool.unconfirmed
        if isinstance(step, ForgetDevice):
            facts.add(("forgotten", family))
            unconfirmed |= {family}
        elif ("forgotten", family) not in facts:
            if ("confirmed", family) in facts and not world.faults:
                raise Violation("a device was confirmed twice although nothing had failed")
            facts.add(("confirmed", family))
            unconfirmed -= {family}
        return world._replace(facts=frozenset(facts), pool=world.pool._replace(unconfirmed=unconfirmed))

    def _check_refresh(self, world: World, step: Refresh) -> None:
        """A refresh that Cognito refuses for the device ends the session, so none is sent while the token lives."""
        row: dict[str, Any] = dict(world.row or {})
        pending = row.get("device_pending") is not None and row.get("token") == step.request.refresh_token
        if pending and world.now < row.get("access_exp", 0):
            raise Violation("a refresh was sent ahead of time for a device that may yet be confirmed")

    # --- at rest

    def rest(self, world: World, knocked: dict[int, None]) -> None:
        """A client that comes every few seconds until the first token's end and beyond."""
        mark = hash((world.now, world.row, world.pool, world.delivered, world.logged_out, world.owner, world.facts))
        if mark in knocked:
            return
        knocked[mark] = None
        _check_rest(self, world)
        doomed, too_late = self._doomed(world), self._too_late(world)
        latest = _latest_cookie(world)
        own = world.owner == "first"
        pause, end = (POLL_SECONDS, START + self.scenario.life_left) if own else (61, world.now + 130)
        while True:
            verdict, world = visit(self, world, latest)
            if verdict.startswith("rejected") and (doomed or too_late):
                return
            _check_visit(self, world, verdict)
            if verdict.startswith("rejected"):
                return
            latest = _latest_cookie(world)
            if world.now > end + 2 * TICK:
                break
            world = world._replace(now=world.now + pause)
        verdict, _ = visit(self, world._replace(now=world.now + self.scenario.rules.life + TICK), latest)
        if not doomed:
            _check_visit(self, world, verdict)
        elif not verdict.startswith("rejected"):
            raise Violation(f"a session whose device is refused does not end: {verdict}")

    def _doomed(self, world: World) -> bool:
        """Whether Cognito has refused the device for good, or has forgotten it at a sign-out."""
        told = any(fact[1] == world.owner and fact[0] in ("denied", "forgotten") for fact in world.facts)
        return told and world.owner in world.pool.unconfirmed

    def _too_late(self, world: World) -> bool:
        """Whether the device is unconfirmed with so little of its token left that one more failure loses it."""
        left = dict(world.row or {}).get("access_exp", 0) - world.now
        return world.owner in world.pool.unconfirmed and left < 2 * POLL_SECONDS


def _key(family: str) -> str:
    return f"device-{family}"


def _family(step: ConfirmDevice | ForgetDevice) -> str:
    key = step.device_key if isinstance(step, ForgetDevice) else step.confirmation.device_key
    return key.removeprefix("device-")


# --- what is searched

OFF, ROTATING = PoolRules(rotation=False), PoolRules(semantics="B")
BENIGN = (
    TrackedScenario("unconfirmed device: two requests"),
    TrackedScenario("unconfirmed device: sign-out", others=("logout",)),
    TrackedScenario("unconfirmed device: second sign-in", requests=1, others=("sign-in",)),
    TrackedScenario("unconfirmed device: at the end", life_left=6),
    TrackedScenario("confirmed device: sign-out", known=True, life_left=30, others=("logout",)),
    TrackedScenario("unconfirmed device: refused", requests=2, deny=1),
)
FAULTS = ({"loss": 1}, {"crash": 1}, {"freeze": 1, "ticks": 10}, {"throttle": 1}, {"loss": 2}, {"loss": 1, "crash": 1})


def _faulty(scenario: TrackedScenario, faults: dict[str, int], rules: PoolRules) -> TrackedScenario:
    return replace(scenario, name=f"{scenario.name}, {faults}", rules=rules, **faults)


def short() -> Iterator[TrackedScenario]:
    """For every commit: all of them, and one kind of fault each in turn."""
    for number, scenario in enumerate(BENIGN):
        yield replace(scenario, rules=ROTATING)
        yield _faulty(scenario, FAULTS[number % 4], OFF if number % 2 else ROTATING)


def long() -> Iterator[TrackedScenario]:
    """All of them with every kind of fault, with rotation and without."""
    for scenario in BENIGN:
        for rules in (OFF, ROTATING):
            yield replace(scenario, rules=rules)
            for faults in FAULTS:
                yield _faulty(scenario, faults, rules)


# --- rules taken out


class TrackedMutant(NamedTuple):
    """A rule taken out, and the scenario that misses it."""

    name: str
    change: Any
    scenario: TrackedScenario


def never_retry() -> Any:
    """A pending confirmation is left as it is: the session ends with its first token."""
    from cognito_session.core.protocol import resolve as flow
    from races.mutants import patched

    def nothing(case: Any, record: SessionRecord, token: AccessToken) -> Flow[None]:
        del case, record, token
        yield from ()

    return patched(flow, "confirm_pending", nothing)


def lost_is_refused() -> Any:
    """A ConfirmDevice whose answer was lost is taken for a refusal and not repeated."""
    from races.mutants import patched

    def confirmed(case: Any, record: SessionRecord, key: str, pending: str, token: AccessToken) -> Flow[bool]:
        del case, record, pending
        from cognito_session.core.protocol.ports import DeviceConfirmation

        try:
            yield from ask(ConfirmDevice(DeviceConfirmation(token.text, key, "s", "v", "browser")))
        except ProviderUnavailable:
            return True
        return True

    return patched(tracking, "_confirmed", confirmed)


def pause_a_minute() -> Any:
    """The next attempt waits for a minute although the token ends before: nothing can confirm the device then."""
    from races.mutants import patched

    return patched(tracking, "_next_turn", lambda case, token: case.now() + 60)


def refresh_ahead_of_time() -> Any:
    """A pending device is not looked at when a refresh is due."""
    from cognito_session.core.protocol.resolve import Resolution
    from races.mutants import patched

    original = Resolution._decide

    def decide(self: Any, record: SessionRecord, standing: Any) -> Flow[Any]:
        return (yield from original(self, record._replace(device_pending=None), standing))

    return patched(Resolution, "_decide", decide)


TRACKED_RULES = (
    TrackedMutant("never retry a pending confirmation", never_retry, TrackedScenario("two requests", ROTATING)),
    TrackedMutant("take a lost confirmation for a refusal", lost_is_refused, TrackedScenario("loss", ROTATING, loss=1)),
    TrackedMutant("pause a minute near the token's end", pause_a_minute, TrackedScenario("loss", ROTATING, loss=1)),
    TrackedMutant("refresh ahead of time while unconfirmed", refresh_ahead_of_time, TrackedScenario("requests", ROTATING)),
)
