"""One world of the scheduler: actors that run real flows over a modelled store and provider, with budgeted faults.

Every shared step is a scheduling point. Time is discrete (two-second ticks) and passes only while nobody could do
anything at once, unless a fault is spent on slowness: a frozen worker, a request that Cognito handles late. A flow's state
is the history of its answers, so a world can be copied and any actor's generator rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cognito_session.core.cookie import Cookie
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable, SessionError, StoreUnavailable
from cognito_session.core.policy import CALL_LIMIT_SECONDS, SessionPolicy
from cognito_session.core.protocol.conditions import Change, WriteKind, Written
from cognito_session.core.protocol.ports import TOO_LATE, NewTokens, RefreshDenied
from cognito_session.core.protocol.record import token_hash
from cognito_session.core.protocol.session import Active, Reason, Refreshed, Rejected
from cognito_session.core.protocol.steps import (
    GlobalSignOut,
    Keyrings,
    Keys,
    Load,
    LoadAll,
    Refresh,
    Report,
    Revoke,
    Sleep,
    Write,
    WriteAll,
)
from races import pool_model
from races.frames import as_value, frame_key
from races.pool_model import ISSUER, Pool, PoolRules

START = 1_800_000_000
TICK = 2
LATEST = 8
"""Cognito handles a late request within a lease and the clock tolerance; later, semantics B loses the session."""


class Violation(AssertionError):
    """An invariant does not hold; the message is the schedule that leads there."""


class ModelClock:
    """A clock that tells what the scheduler set."""

    def __init__(self) -> None:
        self.wall = 0.0
        self.steady = 0.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady


class Actor(NamedTuple):
    """A worker serving one request: what it runs, the answers it has had, and what it is waiting for."""

    name: str
    kind: str
    cookie: str | None
    skew: int
    status: str = "new"
    history: tuple[Any, ...] = ()
    wake_at: int = 0
    wake_row: int = 0
    sent_at: int = 0
    frame: Any = None
    result: Any = None


class World(NamedTuple):
    """Everything that matters, as a value. `budget` is (crash, loss, slow, freeze, refuse, throttle)."""

    now: int
    row: tuple[tuple[str, Any], ...] | None
    row_number: int
    pool: Pool
    actors: tuple[Actor, ...]
    budget: tuple[int, int, int, int, int, int]
    zombies: tuple[tuple[str, str, int], ...] = ()
    calls: tuple[tuple[str, int], ...] = ()
    delivered: tuple[str, ...] = ()
    logged_out: bool = False
    owner: str = "first"
    ended: str | None = None
    faults: int = 0
    facts: frozenset[tuple[Any, ...]] = frozenset()

    def key(self) -> int:
        """What tells two worlds apart; histories that led to the same frames do not."""
        actors = tuple(
            (a.status, a.wake_at, a.wake_row == self.row_number, a.sent_at, a.frame, a.result if a.status == "done" else None)
            for a in self.actors
        )
        return hash(
            (
                self.now,
                self.row,
                self.pool,
                actors,
                self.budget,
                self.zombies,
                self.calls,
                self.delivered,
                self.logged_out,
                self.owner,
                self.ended,
                self.facts,
            )
        )


@dataclass(frozen=True)
class Scenario:
    """What is searched: who acts, under which reading of Cognito, with how many faults of each kind."""

    name: str
    rules: PoolRules = field(default_factory=PoolRules)
    requests: int = 2
    others: tuple[str, ...] = ()
    crash: int = 0
    loss: int = 0
    slow: int = 0
    freeze: int = 0
    refuse: int = 0
    throttle: int = 0
    skews: tuple[int, ...] = (0, 0, 0)
    life_left: int = -1
    ticks: int = 8
    foreign_token: bool = False
    policy: SessionPolicy = field(default_factory=SessionPolicy)
    dropped_clauses: frozenset[tuple[WriteKind, str]] = frozenset()
    survives: bool = True

    @property
    def budget(self) -> tuple[int, int, int, int, int, int]:
        return (self.crash, self.loss, self.slow, self.freeze, self.refuse, self.throttle)

    def stage(self) -> Stage:
        """What runs it."""
        return Stage(self)


class Stage:
    """Runs actors of one scenario: builds the first world, lists what can happen next, and makes it happen."""

    def __init__(self, scenario: Scenario) -> None:
        from cognito_session.core.protocol.context import FlowContext

        self.scenario = scenario
        self.clock = ModelClock()
        self.issued = 0
        self.actor_name = ""
        self.context = FlowContext(
            scenario.policy, ISSUER.rules, Cookie("token"), self.clock, self._entropy, one_row_per_user=True
        )
        self.keys = ISSUER.key_set()
        self._known: dict[int, tuple[Any, Any, Any]] = {}

    def _entropy(self, count: int) -> bytes:
        """Distinct, and the same whenever a history is replayed."""
        self.issued += 1
        return f"{self.actor_name}{self.issued}".encode().ljust(count, b"\xff")[:count]

    # --- the beginning

    def first_world(self) -> World:
        rules = self.scenario.rules
        born = START + self.scenario.life_left - rules.life
        pool, access, refresh_token = pool_model.sign_in(Pool((), 0), "first", born, rules)
        row: dict[str, Any] = {"sub": pool_model.SUB, "token": refresh_token, "timestamp": born}
        if not self.scenario.foreign_token:
            row |= {
                "sid": "first",
                "state": "active",
                "gen": 1,
                "token_hash": token_hash(refresh_token),
                "access_token": access,
                "access_iat": born,
                "access_exp": born + rules.life,
                "jti_cur": "a0",
                "lease_n": 0,
                "abs_exp": START + 86_400,
                "username": pool_model.SUB,
                "seen_at": born,
            }
        names = [f"r{n}" for n in range(self.scenario.requests)]
        actors = [Actor(name, "request", f"token={access}", self.scenario.skews[n % 3]) for n, name in enumerate(names)]
        actors += [Actor(kind, kind, f"token={access}", 0) for kind in self.scenario.others]
        return World(START, _frozen(row), 0, pool, tuple(actors), self.scenario.budget, delivered=(access,))

    def rest(self, world: World, knocked: dict[int, None]) -> None:
        """Check a world in which all is over."""
        from races.explore import knock

        knock(self, world, knocked)

    # --- what can happen

    def moves(self, world: World) -> list[tuple[int, str]]:
        """Every next step as (actor index, variant); index -1 is the tick, -2 a request that Cognito handles late."""
        found: list[tuple[int, str]] = []
        urgent = False
        for index, actor in enumerate(world.actors):
            options, hurry = self._options(world, actor)
            found += [(index, option) for option in options]
            urgent = urgent or hurry
        found += [(-2, str(n)) for n in range(len(world.zombies))]
        if not urgent and self._time_may_pass(world):
            found.append((-1, "tick"))
        return found

    def _time_may_pass(self, world: World) -> bool:
        """Not before anybody has begun, not when all is over, and not for ever."""
        statuses = [actor.status for actor in world.actors]
        begun = any(status != "new" for status in statuses)
        if any(world.now + TICK - sent_at > LATEST for _, _, sent_at in world.zombies):
            return False
        return begun and world.now < START + self.scenario.ticks * TICK and any(s not in _OVER for s in statuses)

    def _options(self, world: World, actor: Actor) -> tuple[list[str], bool]:
        crash, loss, slow, freeze, refuse, throttle = world.budget
        match actor.status:
            case "new":
                return ["start"], False
            case "sleeping":
                awake = world.row_number != actor.wake_row or world.now >= actor.wake_at
                return (["wake"], True) if awake else ([], False)
            case "frozen":
                return ["thaw"], False
            case "calling":
                over = world.now >= actor.sent_at + CALL_LIMIT_SECONDS
                return (["cut"], True) if over else ([], False)
            case "ready":
                step = actor.result
                options = ["do"]
                if loss and isinstance(step, Write | WriteAll | Refresh | Revoke | Load | LoadAll):
                    options.append("lost before")
                if loss and isinstance(step, Write | WriteAll | Refresh):
                    options.append("lost after")
                if throttle and isinstance(step, Refresh):
                    options.append("throttled")
                if refuse and isinstance(step, Write):
                    options.append("refused")
                if slow and isinstance(step, Refresh):
                    options.append("late")
                if crash:
                    options.append("crash")
                if freeze:
                    options.append("freeze")
                return options, True
        return [], False

    # --- making it happen

    def step(self, world: World, index: int, variant: str) -> World:
        """The world after one move. Raises Violation."""
        if index == -1:
            return world._replace(now=world.now + TICK)
        if index == -2:
            return self._late(world, int(variant))
        actor = world.actors[index]
        if actor.kind in ("foreign-put", "foreign-set"):
            return self._foreign(world, index, actor)
        if actor.kind == "revoked elsewhere":
            dead = pool_model.revoke(world.pool, "rt-first", PoolRules(revoke="family"))
            return world._replace(pool=dead, actors=_with(world, index, actor._replace(status="done")))
        match variant:
            case "crash":
                return self._spend(world, 0)._replace(actors=_with(world, index, actor._replace(status="crashed", frame=None)))
            case "freeze":
                return self._spend(world, 3)._replace(actors=_with(world, index, actor._replace(status="frozen")))
            case "thaw":
                return world._replace(actors=_with(world, index, actor._replace(status="ready")))
            case "start":
                return self._resume(world, index, "start", None)
            case "wake":
                return self._resume(world, index, "answer", None)
            case "cut":
                return self._resume(world, index, "fault", ProviderUnavailable("cut", sent=None))
        return self._perform(world, index, actor, variant)

    def _spend(self, world: World, which: int) -> World:
        budget = list(world.budget)
        budget[which] -= 1
        return world._replace(budget=tuple(budget), faults=world.faults + 1)

    def _perform(self, world: World, index: int, actor: Actor, variant: str) -> World:
        step = actor.result
        if variant == "lost before":
            world = self._spend(world, 1)
            fault = ProviderUnavailable("lost", sent=None) if isinstance(step, Refresh | Revoke) else StoreUnavailable("lost")
            return self._resume(world, index, "fault", fault)
        if variant == "throttled":
            return self._resume(self._spend(world, 5), index, "fault", ProviderUnavailable("throttled", sent=True))
        if variant == "refused":
            return self._resume(self._spend(world, 4), index, "fault", ConfigurationError("the role may not write"))
        match step:
            case Load():
                return self._resume(world, index, "answer", dict(world.row) if world.row is not None else None)
            case LoadAll():
                return self._resume(world, index, "answer", [dict(world.row)] if world.row is not None else [])
            case Write(change):
                world, written = self._write(world, actor, change)
                if variant == "lost after":
                    return self._resume(self._spend(world, 1), index, "fault", StoreUnavailable("lost"))
                return self._resume(world, index, "answer", written)
            case Refresh():
                return self._call(world, index, step, variant)
            case GlobalSignOut():
                pool = world.pool
                for token, _ in pool.grants:
                    pool = pool_model.revoke(pool, token, self.scenario.rules)
                return self._resume(world._replace(pool=pool), index, "answer", None)
            case Revoke(token):
                self._check_revoke(world, token)
                world = world._replace(pool=pool_model.revoke(world.pool, token, self.scenario.rules))
                return self._resume(world, index, "answer", None)
        raise TypeError(f"the scheduler does not know {step!r}")

    def _call(self, world: World, index: int, step: Refresh, variant: str) -> World:
        request = step.request
        if self.guard and world.now - START > request.send_before:
            return self._resume(world, index, "fault", ProviderUnavailable("late", sent=False, reason=TOO_LATE))
        if variant == "late":
            world = self._spend(world, 2)
            actor = world.actors[index]._replace(status="calling", sent_at=world.now)
            return world._replace(
                actors=_with(world, index, actor), zombies=(*world.zombies, (actor.name, request.refresh_token, world.now))
            )
        world, answer = self._provider(world, request.refresh_token)
        if isinstance(answer, ConfigurationError):
            return self._resume(world, index, "fault", answer)
        if variant == "lost after":
            return self._resume(self._spend(world, 1), index, "fault", ProviderUnavailable("lost", sent=None))
        return self._resume(world, index, "answer", answer)

    guard = True
    """Whether the driver asks the clock again before it sends."""

    def _provider(self, world: World, token: str) -> tuple[World, NewTokens | RefreshDenied | ConfigurationError]:
        refused = pool_model.refused_for_all(world.now - START, self.scenario.rules)
        if refused is not None:
            return world, refused
        calls = dict(world.calls)
        calls[token] = calls.get(token, 0) + 1
        pool, answer = pool_model.refresh(world.pool, token, world.now, self.scenario.rules)
        if isinstance(answer, str) and pool_model.verdict(answer, self.scenario.rules).verdict == "unknown":
            return world, pool_model.verdict(answer, self.scenario.rules)
        self._check_calls(world, calls[token])
        world = world._replace(pool=pool, calls=tuple(sorted(calls.items())))
        if isinstance(answer, str):
            return world, pool_model.verdict(answer, self.scenario.rules)
        return world, NewTokens(*answer)

    def _late(self, world: World, which: int) -> World:
        _, token, _ = world.zombies[which]
        world = world._replace(zombies=world.zombies[:which] + world.zombies[which + 1 :])
        return self._provider(world, token)[0]

    def _write(self, world: World, actor: Actor, change: Change) -> tuple[World, Written]:
        dropped = self.scenario.dropped_clauses
        if dropped:
            change = change._replace(when=tuple(c for c in change.when if (change.kind, c.name) not in dropped))
        row = dict(world.row) if world.row is not None else None
        if not change.allowed_on(row):
            return world, Written(applied=False, found=row)
        after = change.applied_to(row)
        self._check_write(world, change, row or {}, after)
        owner = actor.name if change.kind is WriteKind.CREATE else world.owner
        ended = world.owner if change.kind is WriteKind.LOGOUT else world.ended
        world = world._replace(ended=ended, row=_frozen(after), row_number=world.row_number + 1, owner=owner)
        return world, Written(applied=True, found=row)

    def _foreign(self, world: World, index: int, actor: Actor) -> World:
        """The seed's sign-in code: replaces the item, or only sets `token`, under no condition at all."""
        pool, access, token = pool_model.sign_in(world.pool, actor.name, world.now, self.scenario.rules)
        kept = dict(world.row or {}) if actor.kind == "foreign-set" else {}
        row = kept | {"sub": pool_model.SUB, "token": token, "timestamp": world.now}
        done = actor._replace(status="done")
        return world._replace(
            pool=pool,
            row=_frozen(row),
            row_number=world.row_number + 1,
            actors=_with(world, index, done),
            delivered=(*world.delivered, access),
            owner=actor.name,
            logged_out=False,
        )

    # --- flows

    def _flow(self, world: World, actor: Actor) -> Any:
        from cognito_session.core.protocol.devices import revoke_all
        from cognito_session.core.protocol.establish import SignedIn, establish
        from cognito_session.core.protocol.resolve import resolve
        from cognito_session.core.protocol.sign_out import log_out

        if actor.kind == "logout":
            return log_out(self.context, actor.cookie)
        if actor.kind == "sign out everywhere":
            return revoke_all(self.context, pool_model.SUB)
        if actor.kind == "sign-in":
            access = pool_model.access_token("a-sign-in", "sign-in", START, self.scenario.rules.life)
            return establish(self.context, SignedIn(access, "rt-sign-in"))
        return resolve(self.context, actor.cookie)

    def _resume(self, world: World, index: int, how: str, value: Any) -> World:
        actor = world.actors[index]
        if how == "start" and actor.kind == "sign-in":
            world = self._signed_in(world, actor)
        mark = hash((actor.name, actor.cookie, actor.frame, world.now, how, as_value(value)))
        actor = actor._replace(history=(*actor.history, (world.now, how, value)))
        known = self._known.get(mark)
        if known is None:
            known = self._known[mark] = self._replay(world, actor)
        frame, pending, over = known
        if over is not None:
            return self._finish(world, index, actor, over)
        if isinstance(pending, Sleep):
            waiting = actor._replace(
                status="sleeping", wake_at=world.now + TICK, wake_row=world.row_number, frame=frame, result=None
            )
            return world._replace(actors=_with(world, index, waiting))
        return world._replace(actors=_with(world, index, actor._replace(status="ready", frame=frame, result=pending)))

    def _signed_in(self, world: World, actor: Actor) -> World:
        """What the sign-in has changed at Cognito before its request reaches us."""
        del actor
        pool, _, _ = pool_model.sign_in(world.pool, "sign-in", START, self.scenario.rules)
        return world._replace(pool=pool)

    def _replay(self, world: World, actor: Actor) -> tuple[Any, Any, Any]:
        """(frames, pending step, result or exception): the flow, led through its whole history again."""
        self.issued, self.actor_name = 0, actor.name
        flow = self._flow(world, actor)
        pending: Any = None
        for now, how, value in actor.history:
            self.clock.wall, self.clock.steady = now + actor.skew, now - START
            try:
                pending = flow.throw(copy(value)) if how == "fault" else flow.send(None if how == "start" else value)
                while isinstance(pending, Keys | Keyrings | Report):
                    pending = flow.send(self._aside(pending, actor))
            except StopIteration as finished:
                return None, None, ("returned", finished.value)
            except SessionError as error:
                return None, None, ("raised", error)
        return (self.issued, *frame_key(flow), _step_key(pending)), pending, None

    def _aside(self, step: Any, actor: Actor) -> Any:
        """What is answered at once, because no other worker can get in between."""
        del actor
        return self.keys if isinstance(step, Keys) else self._note(step)

    def _note(self, report: Report) -> None:
        if report.event == "reuse" and self.scenario.life_left > -60:
            raise Violation("a benign request was taken for reuse")

    def _finish(self, world: World, index: int, actor: Actor, over: tuple[str, Any]) -> World:
        how, value = over
        delivered, logged_out = world.delivered, world.logged_out
        if how == "raised":
            if isinstance(value, ConfigurationError) and not self.scenario.refuse and self.scenario.rules.fault is None:
                raise Violation(f"{actor.name}: unexpected {value}")
            verdict = "unavailable"
        elif actor.kind == "logout":
            verdict = "logged out" if value is None else f"no session: {value.reason}"
            logged_out = logged_out or (value is None and world.ended == world.owner)
        elif actor.kind == "sign out everywhere":
            verdict = f"{value} ended"
            logged_out = logged_out or world.ended == world.owner
        elif actor.kind == "sign-in":
            verdict = "signed in" if not isinstance(value, Rejected) else "not signed in"
            if not isinstance(value, Rejected):
                delivered, logged_out = (*delivered, value.access_token), False
        elif isinstance(value, Rejected):
            verdict = f"rejected: {value.reason}"
            if value.reason is Reason.REUSE:
                raise Violation("a benign request was rejected as reuse")
            if value.reason is Reason.REFRESH_DENIED and self.scenario.survives and self.scenario.rules.fault is not None:
                raise Violation("a request was rejected for what is the operator's fault")
        else:
            verdict = "refreshed" if isinstance(value, Refreshed) else "served"
            self._check_served(world, actor, value)
            if value.session.set_cookies:
                delivered = (*delivered, value.session.access_token)
        done = actor._replace(status="done", frame=None, result=verdict, history=())
        return world._replace(actors=_with(world, index, done), delivered=delivered, logged_out=logged_out)

    # --- invariants

    def _check_calls(self, world: World, count: int) -> None:
        allowed = 1 + (2 if self.scenario.rules.rotation and self.scenario.rules.grace == 0 else 1) * world.faults
        if self.scenario.others:
            allowed += 1
        if count > allowed:
            raise Violation(f"{count} refresh calls for one generation after {world.faults} faults")

    def _check_write(self, world: World, change: Change, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        if change.kind in {WriteKind.CREATE, WriteKind.NOT_BEFORE}:
            return
        if not before:
            raise Violation(f"{change.kind.value} made a row where there was none")
        foreign = world.owner.startswith("foreign") and before.get("token_hash") != token_hash(before.get("token", ""))
        if before.get("state") == "ended" and not foreign:
            raise Violation(f"{change.kind.value} changed an ended session")
        if change.kind is WriteKind.COMMIT:
            if after["gen"] != before.get("gen", 0) + 1:
                raise Violation("a commit did not raise the generation by one")
            if not foreign and world.owner != "first" and not after["token"].startswith(f"rt-{world.owner}"):
                raise Violation("a refresh in flight overwrote another sign-in's tokens")
            if foreign and not after["token"].startswith(f"rt-{world.owner}"):
                raise Violation("a refresh in flight overwrote a foreign sign-in's tokens")

    def _check_revoke(self, world: World, token: str) -> None:
        row = dict(world.row or {})
        stands = row.get("state") != "ended" and row.get("token", "").split(".")[0] == token.split(".", maxsplit=1)[0]
        if stands:
            raise Violation("RevokeToken was called for a session that has neither ended nor been displaced")

    def _check_served(self, world: World, actor: Actor, outcome: Active) -> None:
        if outcome.session.token_expires_at <= world.now + actor.skew:
            raise Violation(f"{actor.name} was served an expired token")
        family = outcome.session.claims["origin_jti"].split("-r")[0]
        if family != "first" and actor.kind == "request":
            raise Violation(f"{actor.name} was served another sign-in's token")


def _step_key(step: Any) -> Any:
    if isinstance(step, Write):
        change = step.change
        return (change.kind, as_value(change.put))
    return as_value(step)


_OVER = ("done", "crashed")


def _frozen(row: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(row.items()))


def _with(world: World, index: int, actor: Actor) -> tuple[Actor, ...]:
    return (*world.actors[:index], actor, *world.actors[index + 1 :])


Teller = Callable[[World, int, str], str]


def tell(world: World, index: int, variant: str) -> str:
    """One move of a schedule in words."""
    at = f"{world.now - START:>3} s  "
    if index == -1:
        return f"{at}-- two seconds pass"
    if index == -2:
        return f"{at}Cognito handles {world.zombies[int(variant)][0]}'s late request"
    actor = world.actors[index]
    step = actor.result
    what = {"Write": lambda: step.change.kind.value, "Refresh": lambda: "refresh call"}.get(
        type(step).__name__, type(step).__name__.lower
    )()
    if actor.status != "ready":
        return (
            f"{at}{actor.name}: {variant}"
            if not actor.kind.startswith("foreign")
            else f"{at}{actor.kind} sign-in writes the row"
        )
    return f"{at}{actor.name}: {what}" + ("" if variant == "do" else f", {variant}")


def moves_of(stage: Stage, world: World) -> Iterator[tuple[int, str]]:
    """The moves of a world, for searches that choose at random."""
    yield from stage.moves(world)
