"""The scheduler's world with a writer of the table in it, who changes a row at any moment between two steps of a worker.

The writer knows every stored value of every session, also of the beginning, and tokens of a sign-in of their own; no key. What
must never come of it: that a request is served with another session's token, with another `auth_time`, end or data than the
session had, or at all where the session was over; that a row says such a thing and proves it; that a cookie of another kind
opens anything. Everything else (503, a denial, a lost session) the writer has anyway, by deleting rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from cognito_session.core.errors import TokenError
from cognito_session.core.policy import OVERLAP_SECONDS, SessionPolicy
from cognito_session.core.protocol import authenticate, authenticity, data, row_code
from cognito_session.core.protocol import refresh as renewal
from cognito_session.core.protocol import resolve as flow
from cognito_session.core.protocol.context import FlowContext
from cognito_session.core.protocol.record import SessionKey, SessionRecord, token_hash
from cognito_session.core.protocol.session import Active, Rejected, Session
from cognito_session.core.protocol.steps import Flow
from races import pool_model
from races.many import RINGS, Many, ManyScenario, Role, Rows
from races.mutants import Mutant, patched
from races.pool_model import PoolRules
from races.world import START, Actor, Stage, Violation, World, _with

__all__ = ["ADVERSARY_RULES", "AdversaryScenario", "long", "short"]

FOREVER = START + 4_000_000
SAVED = {1: {"role": "reader"}, 2: {"role": "nobody"}, 3: {"role": "writer"}}
"""What the session's data was, by its version."""

Row = dict[str, Any]
Tampering = Callable[["Adversary", Row], Row]


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _from_other(*names: str) -> Tampering:
    return lambda stage, row: row | {name: stage.others[name] for name in names if name in stage.others}


def _from_before(*names: str) -> Tampering:
    return lambda stage, row: row | {name: stage.before[name] for name in names if name in stage.before}


def _own_token(stage: Adversary, row: Row) -> Row:
    """A plain token of the writer's own sign-in of this user, and all that the row says of it."""
    text = pool_model.access_token("a-own", "own", START, stage.scenario.rules.life)
    told = {"access_token": text, "access_iat": START, "access_exp": START + stage.scenario.rules.life, "jti_cur": "a-own"}
    return row | told


def _own_tokens(stage: Adversary, row: Row) -> Row:
    return _own_token(stage, row) | {"token": "rt-own", "token_hash": token_hash("rt-own")}


TAMPERINGS: dict[str, Tampering] = {
    "an older copy": lambda stage, row: dict(stage.before),
    "auth_time": lambda stage, row: row | {"auth_time": FOREVER},
    "abs_exp": lambda stage, row: row | {"abs_exp": FOREVER},
    "no abs_exp": lambda stage, row: _without(row, "abs_exp"),
    "idle_exp": lambda stage, row: row | {"idle_exp": FOREVER},
    "no idle_exp": lambda stage, row: _without(row, "idle_exp", "active_at", "idle_code"),
    "no codes": lambda stage, row: _without(row, "row_code", "idle_code") | {"auth_time": FOREVER, "abs_exp": FOREVER},
    "foreign": lambda stage, row: _without(row, "row_code", "idle_code", "token_hash"),
    "own token": _own_token,
    "own tokens": _own_tokens,
    "own tokens, no codes": lambda stage, row: _without(_own_tokens(stage, row), "row_code", "idle_code"),
    "another's tokens": _from_other("token", "token_hash", "access_token", "access_exp", "jti_cur"),
    "another's access token": _from_other("access_token", "access_iat", "access_exp", "jti_cur"),
    "another's codes": _from_other("row_code", "idle_code", "auth_time", "abs_exp"),
    "another's data": _from_other("data", "data_version"),
    "earlier data": _from_before("data"),
    "plain data": lambda stage, row: row | {"data": '{"role":"admin"}'},
    "earlier code": _from_before("row_code", "gen", "jti_cur"),
    "earlier tokens": _from_before("token", "token_hash", "access_token"),
    "an earlier refresh token": _from_before("token"),
    "seen_at": lambda stage, row: row | {"seen_at": FOREVER},
    "no state": lambda stage, row: _without(row, "state"),
    "a token cookie's": lambda stage, row: row | {"cookie_kind": "token"},
}
WITHOUT_KEYS = ("own token", "another's access token")
"""What is not believed without keys either. A refresh token of the user's own other sign-in cannot be told from a refresh by
which Cognito changed `origin_jti`.
"""


@dataclass(frozen=True)
class AdversaryScenario(ManyScenario):
    """`tamperings`: what the writer may do to the session s0. `over`: it was over before the beginning."""

    there: tuple[str, ...] = ("s0", "s1")
    sealed: bool = True
    tamperings: tuple[str, ...] = tuple(TAMPERINGS)
    over: bool = False
    signed_out: bool = False

    def stage(self) -> Stage:
        return Adversary(self)


class Adversary(Many):
    """Runs an AdversaryScenario."""

    scenario: AdversaryScenario

    def first_world(self) -> World:
        self.before: Row = {}
        self.others: Row = {}
        world = super().first_world()
        for version in (1, 2) if self.scenario.life_left > 0 and not self.scenario.over else ():
            session = replace(self._session_of("s0"), data_version=version - 1)
            self.clock.wall, self.actor_name, self.issued = START, f"save {version}", 0
            world, _ = self._at_once(world, data.save_data(self.context, session, SAVED[version]))
            if version == 1:
                self.before = self._own(world)
        self.before = self.before or self._own(world)
        self.truth = {name: self._own(world, name) for name in self.scenario.there}
        self.others = self.truth.get("s1", {})
        if self.scenario.signed_out:
            from cognito_session.core.protocol.sign_out import log_out

            world, _ = self._at_once(world, log_out(self.context, self.cookies["s0"]))
        return world

    def _own(self, world: World, name: str = "s0") -> Row:
        return dict(self._row_of(world, name) or {})

    # --- the writer's move

    def _options(self, world: World, actor: Actor) -> tuple[list[str], bool]:
        if actor.kind != "writer":
            return super()._options(world, actor)
        return (list(self.scenario.tamperings), False) if actor.status == "new" else ([], False)

    def step(self, world: World, index: int, variant: str) -> World:
        if index < 0 or world.actors[index].kind != "writer":
            return super().step(world, index, variant)
        rows: Rows = self._rows(world)
        place = "" if self.scenario.one_row else self._session_of("s0").sid
        rows[place] = TAMPERINGS[variant](self, rows.get(place, {}))
        done = world.actors[index]._replace(status="done", result=variant)
        return self._with_rows(world, rows)._replace(actors=_with(world, index, done))

    def _flow(self, world: World, actor: Actor) -> Any:
        if actor.kind == "save":
            return data.save_data(self.context, replace(self._session_of("s0"), data_version=2), SAVED[3])
        if actor.kind != "other kind":
            return super()._flow(world, actor)
        token = pool_model.access_token("a-s0", "s0", self._born, self.scenario.rules.life)
        return flow.resolve(self.context._replace(sealed_cookie=False), f"{self.context.cookie.name}={token}")

    # --- invariants

    def _finish(self, world: World, index: int, actor: Actor, over: tuple[str, Any]) -> World:
        how, value = over
        if how == "returned" and isinstance(value, Active):
            self._check_told(world, actor, value.session)
        done = actor._replace(status="done", frame=None, result=f"{how} {type(value).__name__}", history=())
        return world._replace(actors=_with(world, index, done))

    def _check_told(self, world: World, actor: Actor, session: Session) -> None:
        """A served token belongs to the record and the credential, and what is told beside it is what the session had."""
        if actor.kind == "other kind":
            raise Violation("a cookie of another kind opened the session")
        name = self.roles[actor.name].session
        if session.claims["origin_jti"] != name or session.sub != pool_model.SUB:
            raise Violation(f"{actor.name} was served another session's token")
        if self.scenario.over or (self.scenario.signed_out and session.token_expires_at <= world.now):
            raise Violation(f"{actor.name} was served although the session was over")
        truth = self.truth[name]
        if (session.auth_time, session.session_expires_at) != (truth["auth_time"], truth["abs_exp"]):
            raise Violation(f"{actor.name} was served with an altered auth_time or end")
        if dict(session.data) != SAVED.get(session.data_version, {}):
            raise Violation(f"{actor.name} was served with altered data")

    def rest(self, world: World, knocked: dict[int, None]) -> None:
        """A row that proves itself at rest says of the session what it said at the beginning."""
        for row in self._rows(world).values() if self.scenario.sealed else ():
            name = next((name for name, truth in self.truth.items() if truth.get("sid") == row.get("sid")), None)
            if name is not None and self._proves_itself(row):
                truth = self.truth[name]
                if row.get("old_until", 0) > world.now + OVERLAP_SECONDS:
                    raise Violation("an old cookie travels longer than the overlap, and the row proves it")
                if any(row.get(each) != truth.get(each) for each in ("auth_time", "abs_exp", "cookie_kind", "created_at")):
                    raise Violation("an altered row was given a code that fits")

    def _proves_itself(self, row: Row) -> bool:
        binding = row_code.Binding(self.context.rules.user_pool_id, self.context.rules.client_id, pool_model.SUB)
        try:
            row_code.check_codes(RINGS[1], binding, SessionRecord.from_row(SessionKey(pool_model.SUB, str(row["sid"])), row))
        except TokenError:
            return False
        return True

    def _note(self, report: Any) -> None:
        """A writer can make a request look like reuse: that ends a session, as deleting it does."""

    def _check_change(self, actor: Actor, change: Any, before: dict[str, Any]) -> None:
        """Whatever the writer made of the row, a worker may end it."""

    def _check_revoke(self, world: World, token: str) -> None:
        """As before."""

    def _check_calls(self, world: World, count: int) -> None:
        """As before."""


REQUESTS = (Role("request"), Role("writer"))
SHORT_LIFE = SessionPolicy(idle_seconds=60, absolute_seconds=600)
SCENARIOS = (
    AdversaryScenario("writer: a fresh session, sealed cookie", sealed_cookie=True, life_left=900, roles=REQUESTS),
    AdversaryScenario("writer: a fresh session, token cookie", life_left=900, roles=REQUESTS),
    AdversaryScenario("writer: a refresh, sealed cookie", sealed_cookie=True, roles=REQUESTS),
    AdversaryScenario("writer: a refresh, token cookie", roles=REQUESTS),
    AdversaryScenario("writer: a refresh and a second request", roles=(Role("request"), *REQUESTS)),
    AdversaryScenario("writer: one row per user", one_row=True, there=("s0",), sealed_cookie=True, roles=REQUESTS),
    AdversaryScenario("writer: a save", sealed_cookie=True, life_left=900, roles=(Role("save"), *REQUESTS)),
    AdversaryScenario("writer: a session past its ends", over=True, policy=SHORT_LIFE, sealed_cookie=True, roles=REQUESTS),
    AdversaryScenario(
        "writer: a session past its idle end",
        over=True,
        policy=SessionPolicy(idle_seconds=60),
        sealed_cookie=True,
        roles=REQUESTS,
    ),
    AdversaryScenario("writer: after a sign-out", signed_out=True, sealed_cookie=True, life_left=3, roles=REQUESTS),
    AdversaryScenario("writer: twice", sealed_cookie=True, life_left=900, roles=(*REQUESTS, Role("writer"))),
    AdversaryScenario(
        "writer: an access token of the session as a cookie",
        sealed_cookie=True,
        life_left=900,
        roles=(Role("other kind"), Role("writer")),
    ),
    AdversaryScenario(
        "writer: an expired access token as a cookie", sealed_cookie=True, roles=(Role("other kind"), Role("writer"))
    ),
    AdversaryScenario(
        "writer: an access token as a cookie, one row",
        one_row=True,
        there=("s0",),
        sealed_cookie=True,
        roles=(Role("other kind"), Role("writer")),
    ),
    AdversaryScenario(
        "writer without keys: a refresh and a second request",
        sealed=False,
        tamperings=WITHOUT_KEYS,
        roles=(Role("request"), *REQUESTS),
    ),
)
OFF, ROTATING = PoolRules(rotation=False), PoolRules(semantics="B")


def short() -> Iterator[AdversaryScenario]:
    """For every commit: all of them, under one reading each in turn."""
    for number, scenario in enumerate(SCENARIOS):
        yield replace(scenario, rules=OFF if number % 2 else ROTATING)


def long() -> Iterator[AdversaryScenario]:
    """All of them, with rotation and without, and with a lost answer."""
    for scenario in SCENARIOS:
        for rules in (OFF, ROTATING):
            yield replace(scenario, rules=rules)
            yield replace(scenario, name=f"{scenario.name}, loss", rules=rules, loss=1)


# --- rules taken out


def believe_the_row() -> Any:
    """Codes are written and never checked."""
    return patched(authenticity, "check_codes", lambda ring, binding, record: None)


def believe_the_idle_end() -> Any:
    """Only the first of the two codes is checked."""

    def check(ring: Any, code: Any, whose: Any, values: Any) -> None:
        if whose[0] == "row":
            original(ring, code, whose, values)

    original = row_code._check
    return patched(row_code, "_check", check)


@contextmanager
def _renewal_without_check(when: Callable[[SessionRecord], bool]) -> Iterator[None]:
    original = renewal.rejection_of

    def rejection_of(case: Any, record: SessionRecord, held: Any = None) -> Flow[Rejected | None]:
        return None if when(record) else (yield from original(case, record, held))

    with patched(renewal, "rejection_of", rejection_of):
        yield


def prove_whatever_was_leased() -> Any:
    """The row is not checked again when the lease has been taken: what changed since the first look gets a code that fits."""
    return _renewal_without_check(lambda record: record.lease_id is not None)


def serve_whatever_was_committed() -> Any:
    """The row that the commit was written over is served unchecked."""
    return _renewal_without_check(lambda record: record.lease_id is None)


def open_for_any_kind() -> Any:
    """A session does not ask for which kind of cookie it was established."""

    def rejection_of(case: Any, record: SessionRecord, held: Any = None) -> Flow[None]:
        yield from authenticity.check_genuine(case, record)

    return patched(flow, "rejection_of", rejection_of)


def serve_any_token_of_the_row() -> Any:
    """The access token in a row is served whoever it belongs to."""
    return patched(authenticate, "_check_is_the_record_s", lambda token, record: None)


def data_of_any_version() -> Any:
    """Data is sealed without its version: an earlier text is believed as the present one."""
    return patched(data, "_sealed_as", lambda version: "data")


def take_plain_data() -> Any:
    """With keys, a secret that is not sealed is believed."""
    return patched(FlowContext, "takes_plain", True)


def _only(name: str, *tamperings: str) -> AdversaryScenario:
    """A scenario with these writes alone."""
    return replace(next(each for each in SCENARIOS if each.name == name), tamperings=tamperings, rules=ROTATING)


_ANOTHER_KIND = "writer: an access token of the session as a cookie"
ADVERSARY_RULES = (
    Mutant("a row proves what it says", believe_the_row, _only("writer: a fresh session, sealed cookie", "auth_time")),
    Mutant("a row proves its idle end", believe_the_idle_end, _only("writer: a session past its idle end", "idle_exp")),
    Mutant("check the leased row", prove_whatever_was_leased, _only("writer: a refresh, sealed cookie", "auth_time")),
    Mutant("check the committed row", serve_whatever_was_committed, _only("writer: a refresh, sealed cookie", "auth_time")),
    Mutant("a session has its kind of cookie", open_for_any_kind, _only(_ANOTHER_KIND, "an older copy")),
    Mutant(
        "a served token is the row's own",
        serve_any_token_of_the_row,
        _only("writer without keys: a refresh and a second request", "own token"),
    ),
    Mutant("data has its version", data_of_any_version, _only("writer: a fresh session, sealed cookie", "earlier data")),
    Mutant(
        "with keys plain secrets are refused", take_plain_data, _only("writer: a fresh session, sealed cookie", "plain data")
    ),
)
"""Each rule with the scenario in which its absence shows."""
