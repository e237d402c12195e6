"""The scheduler's world with a user's several sessions: the table with two keys, its transaction, and workers that differ.

Workers differ in their clocks (by up to the tolerance) and in their keyrings (a roll-out of a newer key). Their requests sign
in, refresh, poll, save data, sign out here, elsewhere and everywhere. A world's `row` holds all rows of the user; `facts` is
what users were told, which the checks at rest compare with what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.errors import ConfigurationError, SessionConflict, SessionRequired, StoreUnavailable
from cognito_session.core.policy import CLOCK_TOLERANCE_SECONDS
from cognito_session.core.protocol.conditions import Change, WriteKind, Written
from cognito_session.core.protocol.record import USER_SID, SessionKey
from cognito_session.core.protocol.session import Reason, Rejected, Session
from cognito_session.core.protocol.steps import Keyrings, Keys, Load, LoadAll, Report, Sleep, Write, WriteAll
from managed.scene import ring
from races import pool_model
from races.world import START, TICK, Actor, Scenario, Stage, Violation, World, _frozen, _with

__all__ = ["Many", "ManyScenario", "Role"]

RINGS = (Keyring.parse(ring(1)), Keyring.parse(ring(2, 1)))
"""Before and after the roll-out of a newer key."""
Rows = dict[str, dict[str, Any]]


class Role(NamedTuple):
    """What one worker does: for the session `session`, by a clock off by `skew` seconds, with the keyring `ring`.

    A sign-in was made at Cognito `at` seconds after the beginning, and presents the cookie of `presented`.
    """

    kind: str
    session: str = "s0"
    skew: int = 0
    ring: int = 1
    presented: str | None = None
    at: int = 0

    @property
    def name(self) -> str:
        return f"{self.kind} {self.session}" + (f" ({self.skew:+} s)" if self.skew else "")


@dataclass(frozen=True)
class ManyScenario(Scenario):
    """`there`: sessions that are there at the beginning, oldest first. `sealed`: secrets are, `sealed_cookie`: cookies too."""

    roles: tuple[Role, ...] = ()
    there: tuple[str, ...] = ("s0",)
    sealed: bool = False
    sealed_cookie: bool = False
    one_row: bool = False

    def stage(self) -> Stage:
        return Many(self)


class Many(Stage):
    """Runs a ManyScenario."""

    scenario: ManyScenario

    def __init__(self, scenario: ManyScenario) -> None:
        super().__init__(scenario)
        self.context = self.context._replace(
            one_row_per_user=scenario.one_row, sealed_cookie=scenario.sealed_cookie, seals=scenario.sealed
        )
        self.roles = {f"{number}. {role.name}": role for number, role in enumerate(scenario.roles)}
        self.cookies: dict[str, str] = {}
        self._born = START + scenario.life_left - scenario.rules.life

    # --- the beginning

    def first_world(self) -> World:
        world = World(START, (), 0, pool_model.Pool((), 0), (), self.scenario.budget)
        for name in self.scenario.there:
            made_at = START - 1 if self.scenario.life_left > 0 else self._born
            self.clock.wall, self.clock.steady, self.actor_name, self.issued = made_at, 0.0, name, 0
            world = self._at_cognito(world, name, self._born)
            world, session = self._at_once(world, self._sign_in(name, self._born, None))
            self.cookies[name] = session.set_cookies[0].partition(";")[0]
            world = world._replace(
                facts=world.facts | {("signed in", name)}, delivered=(*world.delivered, (name, self.cookies[name]))
            )
        for role in self.scenario.roles:
            if role.kind == "sign-in" and role.at <= 0:
                world = self._at_cognito(world, role.session, START + role.at)
        actors = [
            Actor(name, role.kind, self.cookies.get(role.presented or role.session), role.skew)
            for name, role in self.roles.items()
        ]
        return world._replace(actors=tuple(actors))

    def _at_cognito(self, world: World, name: str, at: int) -> World:
        return world._replace(pool=pool_model.sign_in(world.pool, name, at, self.scenario.rules)[0])

    def _sign_in(self, name: str, at: int, presented: str | None) -> Any:
        from cognito_session.core.protocol.establish import SignedIn, establish

        access = pool_model.access_token(f"a-{name}", name, at, self.scenario.rules.life)
        return establish(self.context, SignedIn(access, f"rt-{name}"), presented=presented)

    def _at_once(self, world: World, flow: Any) -> tuple[World, Any]:
        """A flow led to its end while nobody else acts."""
        keeper = Actor("keeper", "keeper", None, 0)
        answer: Any = None
        while True:
            try:
                step = flow.send(answer)
            except StopIteration as finished:
                return world, finished.value
            match step:
                case Load(key):
                    answer = self._loaded(world, key)
                case LoadAll():
                    answer = self._all(world)
                case Write(change):
                    world, answer = self._write(world, keeper, change)
                case WriteAll(changes):
                    world, answer = self._write_all(world, changes)
                case Keys() | Keyrings() | Report():
                    answer = self._aside(step, keeper)
                case Sleep():
                    answer = None
                case _:
                    world = world._replace(pool=pool_model.revoke(world.pool, step.refresh_token, self.scenario.rules))
                    answer = None

    # --- the table

    def _place(self, key: SessionKey) -> str:
        return "" if self.scenario.one_row else key.sid

    def _rows(self, world: World) -> Rows:
        return {sid: dict(row) for sid, row in world.row or ()}  # type: ignore[misc]

    def _with_rows(self, world: World, rows: Rows) -> World:
        row: Any = tuple(sorted((sid, _frozen(found)) for sid, found in rows.items()))
        return world._replace(row=row, row_number=world.row_number + 1)

    def _loaded(self, world: World, key: SessionKey) -> dict[str, Any] | None:
        return self._rows(world).get(self._place(key))

    def _all(self, world: World) -> list[dict[str, Any]]:
        return list(self._rows(world).values())

    def _write(self, world: World, actor: Actor, change: Change) -> tuple[World, Written]:
        dropped = self.scenario.dropped_clauses
        if dropped:
            change = change._replace(when=tuple(c for c in change.when if (change.kind, c.name) not in dropped))
        rows = self._rows(world)
        row = rows.get(self._place(change.key))
        if not change.allowed_on(row):
            return world, Written(applied=False, found=row)
        self._check_change(actor, change, row or {})
        rows[self._place(change.key)] = self._applied(change, row)
        facts = {("mark", actor.history[0][0], world.now)} if change.kind is WriteKind.NOT_BEFORE else set()
        return self._with_rows(world, rows)._replace(facts=world.facts | facts), Written(applied=True, found=row)

    def _applied(self, change: Change, row: dict[str, Any] | None) -> dict[str, Any]:
        keys = {"sub": change.key.sub} if self.scenario.one_row else {"sub": change.key.sub, "sid": change.key.sid}
        return dict(change.applied_to(row)) | keys

    def _write_all(self, world: World, changes: tuple[Change, ...]) -> tuple[World, bool]:
        rows, dropped = self._rows(world), self.scenario.dropped_clauses
        if dropped:
            kept = [tuple(c for c in change.when if (change.kind, c.name) not in dropped) for change in changes]
            changes = tuple(change._replace(when=when) for change, when in zip(changes, kept, strict=True))
        if not all(change.allowed_on(rows.get(self._place(change.key))) for change in changes):
            return world, False
        for change in changes:
            if not change.only_checks:
                rows[self._place(change.key)] = self._applied(change, rows.get(self._place(change.key)))
        return self._with_rows(world, rows), True

    # --- the steps

    def _perform(self, world: World, index: int, actor: Actor, variant: str) -> World:
        if variant in {"do", "lost after"}:
            step, answer = actor.result, None
            match step:
                case Load(key):
                    return self._resume(world, index, "answer", self._loaded(world, key))
                case LoadAll():
                    return self._resume(world, index, "answer", self._all(world))
                case WriteAll(changes):
                    world, answer = self._write_all(world, changes)
                    if variant == "lost after":
                        return self._resume(self._spend(world, 1), index, "fault", StoreUnavailable("lost"))
                    return self._resume(world, index, "answer", answer)
        return super()._perform(world, index, actor, variant)

    def _options(self, world: World, actor: Actor) -> tuple[list[str], bool]:
        role = self.roles.get(actor.name)
        if role is not None and actor.status == "new" and world.now < START + role.at:
            return [], False
        return super()._options(world, actor)

    def _signed_in(self, world: World, actor: Actor) -> World:
        role = self.roles[actor.name]
        return self._at_cognito(world, role.session, START + role.at) if role.at > 0 else world

    def _time_may_pass(self, world: World) -> bool:
        later = any(role.at > 0 for role in self.roles.values()) and any(actor.status == "new" for actor in world.actors)
        return super()._time_may_pass(world) or (later and world.now < START + self.scenario.ticks * TICK)

    def _aside(self, step: Any, actor: Actor) -> Any:
        if isinstance(step, Keyrings):
            role = self.roles.get(actor.name)
            return RINGS[role.ring if role is not None else 1]
        return super()._aside(step, actor)

    def _flow(self, world: World, actor: Actor) -> Any:
        from cognito_session.core.protocol.data import save_data
        from cognito_session.core.protocol.devices import revoke_all
        from cognito_session.core.protocol.resolve import resolve
        from cognito_session.core.protocol.sign_out import log_out

        role = self.roles.get(actor.name)
        match actor.kind:
            case "sign-in" if role is not None:
                return self._sign_in(role.session, START + role.at, self.cookies.get(role.presented or ""))
            case "everywhere":
                return revoke_all(self.context, pool_model.SUB)
            case "elsewhere" if role is not None:
                return revoke_all(self.context, pool_model.SUB, keep=self._session_of(role.session).sid)
            case "logout":
                return log_out(self.context, actor.cookie)
            case "save" if role is not None:
                return save_data(self.context, self._session_of(role.session), {"by": actor.name})
        return resolve(self.context, actor.cookie, extend=actor.kind != "poll")

    def _session_of(self, name: str) -> Session:
        """The session as a handler had it before anybody saved."""
        from cognito_session.core.protocol.establish import session_id

        sid = session_id(self.context, name)
        return Session(pool_model.SUB, sid, "", (), frozenset(), {}, None, "", START, None)

    # --- what comes of it

    def _finish(self, world: World, index: int, actor: Actor, over: tuple[str, Any]) -> World:
        how, value = over
        role, facts, delivered = self.roles.get(actor.name), set[tuple[Any, ...]](), world.delivered
        verdict = "unavailable"
        if how == "raised":
            verdict = self._refusal(actor, value)
        elif actor.kind == "save":
            verdict = "saved"
            facts.add(("saved", actor.name))
        elif actor.kind == "everywhere":
            verdict = f"{value} ended"
            facts.add(("everywhere",))
        elif actor.kind == "elsewhere" and role is not None:
            verdict = f"{value} ended"
            facts.add(("elsewhere", role.session))
        elif actor.kind == "logout":
            verdict = "logged out" if value is None else f"no session: {value.reason}"
        elif isinstance(value, Rejected):
            verdict = f"rejected: {value.reason}"
            self._check_rejected(world, role, value.reason)
        else:
            session = value if isinstance(value, Session) else value.session
            verdict = "served"
            name = session.claims["origin_jti"]
            if session.token_expires_at <= world.now + actor.skew:
                raise Violation(f"{actor.name} was served an expired token")
            if role is not None and name != role.session:
                raise Violation(f"{actor.name} was served another session's token")
            if actor.kind == "sign-in":
                facts.add(("signed in", name))
            for line in session.set_cookies:
                cookie: Any = (name, line.partition(";")[0])
                delivered = (*delivered, cookie)
        done = actor._replace(status="done", frame=None, result=verdict, history=())
        return world._replace(actors=_with(world, index, done), delivered=delivered, facts=world.facts | facts)

    def _refusal(self, actor: Actor, error: Exception) -> str:
        if isinstance(error, SessionConflict):
            return "conflict"
        if isinstance(error, SessionRequired):
            return "no session"
        if isinstance(error, ConfigurationError) and not self.scenario.refuse:
            raise Violation(f"{actor.name}: unexpected {error}")
        return "unavailable"

    def _check_rejected(self, world: World, role: Role | None, reason: Reason) -> None:
        if reason is Reason.REUSE:
            raise Violation("a benign request was rejected as reuse")
        if role is None or role.kind != "sign-in" or reason is not Reason.SIGNED_OUT:
            return
        if not any(each.kind == "everywhere" for each in self.roles.values()):
            raise Violation(f"the sign-in of {role.session} was refused, and nobody signed out everywhere")
        marks = [fact[2] for fact in world.facts if fact[0] == "mark"]
        if START + role.at > max(marks, default=0) + 2 * CLOCK_TOLERANCE_SECONDS:
            raise Violation(f"the sign-in of {role.session} was refused long after the sign-out everywhere")

    def _check_change(self, actor: Actor, change: Change, before: dict[str, Any]) -> None:
        if (
            actor.kind == "poll"
            and before.get("sid")
            and change.put.get("idle_exp", before.get("idle_exp")) != before.get("idle_exp")
        ):
            raise Violation(f"a poll's {change.kind.value} moved the idle end")
        if (
            change.kind not in {WriteKind.CREATE, WriteKind.NOT_BEFORE, WriteKind.KEEP_UNREVOKED}
            and before.get("state") == "ended"
        ):
            raise Violation(f"{change.kind.value} changed an ended session")

    def _check_revoke(self, world: World, token: str) -> None:
        family = token.split(".", maxsplit=1)[0].removeprefix("rt-")
        row = self._row_of(world, family)
        if row is not None and row.get("state") != "ended":
            raise Violation("RevokeToken was called for a session that has not ended")

    def _row_of(self, world: World, name: str) -> dict[str, Any] | None:
        sid = self._session_of(name).sid
        return next((row for row in self._rows(world).values() if row.get("sid") == sid), None)

    # --- at rest

    def rest(self, world: World, knocked: dict[int, None]) -> None:
        mark = hash((world.now, world.row, world.pool, world.delivered, world.facts, tuple(a.status for a in world.actors)))
        if mark in knocked:
            return
        knocked[mark] = None
        crashed = any(actor.status == "crashed" for actor in world.actors)
        self._check_how_many(world, crashed=crashed)
        self._check_everywhere(world)
        self._check_elsewhere(world)
        self._check_data(world)
        if not crashed:
            self._check_revoked(world)
        for name in sorted(str(fact[1]) for fact in world.facts if fact[0] == "signed in"):
            self._check_alive(world, name)

    def _live(self, world: World) -> list[dict[str, Any]]:
        return [
            row for sid, row in self._rows(world).items() if sid != USER_SID and row.get("state") == "active" and "token" in row
        ]

    def _check_how_many(self, world: World, *, crashed: bool) -> None:
        most = self.scenario.policy.max_sessions
        if most is not None and not crashed and not self.scenario.one_row and len(self._live(world)) > most:
            raise Violation(f"{len(self._live(world))} sessions live at rest under max_sessions={most}")

    def _check_everywhere(self, world: World) -> None:
        if ("everywhere",) not in world.facts:
            return
        mark = min(fact[1] for fact in world.facts if fact[0] == "mark")
        for row in self._live(world):
            if row["auth_time"] <= mark:
                raise Violation("a sign-in from before landed behind the sign-out everywhere")

    def _check_elsewhere(self, world: World) -> None:
        """Of the sessions that were there, the one that was kept is the only one left."""
        for kept in (fact[1] for fact in world.facts if fact[0] == "elsewhere"):
            left = [name for name in self.scenario.there if name != kept and not self._is_ended(world, name)]
            if left:
                raise Violation(f"{left} lived on after the sign-out elsewhere")

    def _check_data(self, world: World) -> None:
        saved = [fact[1] for fact in world.facts if fact[0] == "saved"]
        for row in self._live(world):
            version = row.get("data_version", 0)
            if version < len(saved) or version > len(saved) + world.faults:
                raise Violation(f"{len(saved)} saves were acknowledged, and the data's version is {version}")

    def _check_revoked(self, world: World) -> None:
        """Of each session that a sign-out has ended: its tokens are dead at Cognito, or will be by the next with the key."""
        if self.scenario.rules.revoke != "family":
            return
        ended = [name for name in self._names() if self._is_ended(world, name)]
        if not any(self._usable(world, name) for name in ended):
            return
        self.clock.wall, self.clock.steady = world.now + 60.0, world.now + 60.0 - START
        self.actor_name, self.issued = "closing", 0
        at = world.now + 60
        after, _ = self._at_once(self._at_cognito(world, "closing", at), self._sign_in("closing", at, None))
        if any(self._usable(after, name) for name in ended):
            raise Violation("Cognito keeps the token of an ended session, and no row remembers it")

    def _names(self) -> list[str]:
        return [*self.scenario.there, *(role.session for role in self.roles.values() if role.kind == "sign-in")]

    def _is_ended(self, world: World, name: str) -> bool:
        row = self._row_of(world, name)
        return row is not None and row.get("state") == "ended"

    def _usable(self, world: World, name: str) -> bool:
        return any(grant.family == name and grant.status == "live" for _, grant in world.pool.grants)

    def _check_alive(self, world: World, name: str) -> None:
        """A session that users were told of, and that nobody ended, is served."""
        if self._may_have_ended(world, name):
            return
        from races.explore import visit

        cookies: Any = [cookie for owner, cookie in world.delivered if owner == name]  # type: ignore[misc]
        verdict, after = visit(self, world, cookies[-1])
        for seconds, when in ((0, ""), (5 * TICK, " soon after"), (self.scenario.rules.life, " one token life later")):
            if seconds:
                verdict, after = visit(self, after._replace(now=after.now + seconds), self._newest(after, name))
            if not verdict.startswith("served") and self.scenario.survives:
                raise Violation(f"the session {name} is lost{when}: the next request is {verdict}")

    def _newest(self, world: World, name: str) -> str:
        mine: Any = [cookie for owner, cookie in world.delivered if owner == name]  # type: ignore[misc]
        return str(mine[-1])

    def _may_have_ended(self, world: World, name: str) -> bool:
        """By a sign-out, by the sign-in that presented it, by "everywhere", or by later sign-ins under `max_sessions`."""
        for actor in world.actors:
            role = self.roles[actor.name]
            ends = role.kind == "logout" and role.session == name
            ends |= role.kind == "sign-in" and role.presented == name
            ends |= role.kind == "everywhere"
            ends |= role.kind == "elsewhere" and role.session != name
            if ends and actor.status != "new":
                return True
        if self.scenario.one_row:
            return any(role.kind == "sign-in" and role.session != name for role in self.roles.values())
        most, own = self.scenario.policy.max_sessions, self._row_of(world, name)
        if most is None or own is None:
            return False
        later = [row for row in self._rows(world).values() if row.get("sign_in", 0) > own.get("sign_in", 0)]
        return len(later) >= most
