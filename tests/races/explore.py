"""The search: every order of the steps of a scenario's actors, each distinct world once.

The order is mixed: mostly depth first, so that final worlds are reached early, and every fourth move from anywhere in what is
still open, so that a search that is cut has tried every first move. After every final world a client without faults knocks with
the browser's cookies: it must be served or get a clear 401, never be stuck; a session that nobody ended must still be there.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from cognito_session.core.crypto.access_token import parse
from cognito_session.core.protocol.session import Reason
from races import pool_model
from races.world import _OVER, START, TICK, Actor, Scenario, Stage, Violation, World, tell

sys.setrecursionlimit(10_000)
MAX_STATES = 5_000_000
DEPTH_FIRST = 0.75
"""Share of the moves that go on from the newest world."""


@dataclass
class Found:
    """What a search saw."""

    scenario: Scenario
    states: int = 0
    finals: int = 0
    whole: bool = False
    violation: str | None = None


def search(scenario: Scenario, *, limit: int = MAX_STATES, stage: Stage | None = None) -> Found:
    """Search the scenario; stops at the first violation, its schedule printed readably."""
    stage = stage or scenario.stage()
    found, dice = Found(scenario), Random(0)
    seen: set[int] = set()
    knocked: dict[int, None] = {}
    first = Node(stage.first_world(), None, (0, ""))
    seen.add(first.world.key())
    open_nodes: list[tuple[Node, list[tuple[int, str]]]] = [(first, stage.moves(first.world))]
    while open_nodes and len(seen) < limit:
        place = len(open_nodes) - 1 if dice.random() < DEPTH_FIRST else dice.randrange(len(open_nodes))
        node, moves = open_nodes[place]
        move = moves.pop()
        if not moves:
            open_nodes[place] = open_nodes[-1]
            open_nodes.pop()
        try:
            after = stage.step(node.world, *move)
            key = after.key()
            if key in seen:
                continue
            seen.add(key)
            if all(actor.status in _OVER for actor in after.actors) and not after.zombies:
                found.finals += 1
                stage.rest(after, knocked)
        except Violation as violation:
            found.violation = "\n".join([f"{scenario.name} ({scenario.rules}): {violation}", *node.schedule(move)])
            break
        following = stage.moves(after)
        if following:
            open_nodes.append((Node(after, node, move), following))
    found.states, found.whole = len(seen), not open_nodes
    return found


class Node(NamedTuple):
    """A world and how it was reached."""

    world: World
    before: Node | None
    move: tuple[int, str]

    def schedule(self, last: tuple[int, str]) -> list[str]:
        """The moves from the beginning to `last`, in words."""
        lines, node, move = list[str](), self, last
        while True:
            lines.append(tell(node.world, *move))
            if node.before is None:
                return lines[::-1]
            node, move = node.before, node.move


def knock(stage: Stage, world: World, knocked: dict[int, None]) -> None:
    """The client without faults, with the cookie it should have now, then with the first one."""
    mark = hash((world.now, world.row, world.pool, world.delivered, world.logged_out, world.owner))
    if mark in knocked:
        return
    knocked[mark] = None
    _check_rest(stage, world)
    latest = _latest_cookie(world)
    verdict, after = visit(stage, world, latest)
    _check_visit(stage, world, verdict)
    if latest != world.delivered[0] and world.owner == "first":
        again, _ = visit(stage, after, world.delivered[0])
        if again.startswith("rejected") and again.endswith(Reason.REUSE.value):
            raise Violation("the first cookie was taken for reuse although its replacement had just arrived")
    for seconds, when in ((5 * TICK, "soon after"), (stage.scenario.rules.life + TICK, "one token life later")):
        if when.startswith("one") and _left_over(stage, world):
            return
        if verdict.startswith(("served", "refreshed")):
            verdict, after = visit(stage, after._replace(now=after.now + seconds), _latest_cookie(after))
            _check_visit(stage, world, f"{verdict} {when}")


def _left_over(stage: Stage, world: World) -> bool:
    """Documented: after a fault under rotation nobody came within the grace.

    Here an older presenter's refresh of a foreign sign-in's token went wrong, and the new sign-in's own token is fresh, so
    that no request needs to refresh in time.
    """
    foreign = stage.scenario.foreign_token or any(kind.startswith("foreign") for kind in stage.scenario.others)
    return foreign and stage.scenario.rules.rotation and world.faults > 0


def _latest_cookie(world: World) -> str:
    """The newest cookie of whoever signed in last."""
    origin = world.owner
    mine = [token for token in world.delivered if _origin(token) == origin]
    return mine[-1] if mine else world.delivered[-1]


def _origin(token: str) -> str:
    return str(parse(token, pool_model.ISSUER.rules).origin_jti).split("-r")[0]


def visit(stage: Stage, world: World, token: str) -> tuple[str, World]:
    """A request without faults, retried while it is told 503 and time goes by: (verdict, world after)."""
    for attempt in range(12):
        actor = Actor(f"client{attempt}", "visit", token if "=" in token else f"token={token}", 0)
        world = world._replace(actors=(actor,), budget=(0, 0, 0, 0, 0, 0), faults=99)
        for _ in range(400):
            moves = [move for move in stage.moves(world) if move[0] >= 0]
            if world.actors[0].status == "done":
                break
            world = stage.step(world, *moves[0]) if moves else world._replace(now=world.now + TICK)
        verdict = world.actors[0].result
        if verdict != "unavailable":
            return str(verdict), world
        world = world._replace(now=world.now + 5 * TICK)
    return "stuck", world


def _check_visit(stage: Stage, world: World, verdict: str) -> None:
    if verdict.startswith("stuck") and not _undecided(stage):
        raise Violation("a fault-free client is stuck: neither served nor told 401")
    ended = world.logged_out or dict(world.row or {}).get("reason") in (Reason.SESSION_ENDED, Reason.SIGNED_OUT)
    if world.logged_out and not verdict.startswith("rejected"):
        raise Violation(f"a logged-out session came back: {verdict}")
    if _answered(world) and not ended and stage.scenario.survives and verdict.startswith("rejected"):
        raise Violation(f"the session is lost: the next request is {verdict}")


def _undecided(stage: Stage) -> bool:
    """Whether nobody can tell a dead token from the operator's fault: then a session waits, and is not rejected."""
    return not stage.scenario.rules.known_words and not stage.scenario.rules.experiment


def _answered(world: World) -> bool:
    """Whether whoever signed in last was ever told: a worker may die between its write and its answer."""
    return any(_origin(token) == world.owner for token in world.delivered)


def _check_rest(stage: Stage, world: World) -> None:
    """At rest: an acknowledged logout leaves no usable refresh token in any record."""
    row: dict[str, Any] = dict(world.row or {})
    if world.logged_out and "token" in row and world.pool.usable(row["token"], world.now, stage.scenario.rules):
        raise Violation("a usable refresh token is left in the record after an acknowledged logout")
    if world.logged_out and not world.faults:
        left = [name for name, grant in world.pool.grants if grant.family == world.owner and grant.status == "live"]
        if left and stage.scenario.rules.revoke == "family":
            raise Violation("a live refresh token is left at Cognito after an acknowledged logout")


def elapsed(world: World) -> int:
    """Seconds since the beginning."""
    return world.now - START


__all__ = ["Found", "pool_model", "search", "visit"]
