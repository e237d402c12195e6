"""Benign browsers and thieves: random schedules of tabs over several token lives, and what the protocol makes of them.

A browser has one cookie jar and several tabs whose requests overlap; responses may be lost, arrive in any order, or their
worker may die. None of that may ever look like reuse. A thief who copied the jar and comes back after the overlap must be
noticed, whoever of the two comes first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from cognito_session.core.errors import ProviderUnavailable, SessionUnavailable
from cognito_session.core.protocol.ports import TOO_LATE
from cognito_session.core.protocol.session import Active, Reason, Rejected
from cognito_session.core.protocol.steps import Keys, Load, LoadAll, Refresh, Report, Revoke, Sleep, Write
from races.pool_model import PoolRules
from races.world import START, Actor, Scenario, Stage, World

LIFE = 300


@dataclass
class Tally:
    """What a number of schedules came to."""

    schedules: int = 0
    requests: int = 0
    refreshes: int = 0
    false_alarms: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    thefts_noticed: int = 0


class Browser:
    """One user's jar, and the requests under way."""

    def __init__(self, seed: int, rules: PoolRules) -> None:
        self.random = Random(seed)
        self.stage = Stage(Scenario("browser", rules, policy=Scenario("defaults").policy))
        self.world = self.stage.first_world()
        self.jar = self.world.delivered[0]
        self.now = float(START)
        self.alarms = 0
        self.refreshes = 0
        self.counter = 0

    # --- one request

    def start(self, cookie: str) -> Request:
        self.counter += 1
        return Request(self, cookie, f"t{self.counter}")

    def settle(self, cookie: str) -> Any:
        """One request alone, to its end."""
        request = self.start(cookie)
        while not request.over:
            request.advance()
        return request.result

    def wait(self, seconds: float) -> None:
        self.now += seconds


class Request:
    """A flow stepped one question at a time."""

    def __init__(self, browser: Browser, cookie: str, name: str) -> None:
        self.browser = browser
        self.over = False
        self.result: Any = None
        self.actor = Actor(name, "request", f"token={cookie}", 0)
        self._set_clock()
        self.flow = browser.stage._flow(browser.world, self.actor)
        self._ask(None)

    def _set_clock(self) -> None:
        stage = self.browser.stage
        stage.clock.wall, stage.clock.steady = self.browser.now, self.browser.now - START
        stage.actor_name = self.actor.name + "x"

    def _ask(self, answer: Any, fault: Exception | None = None) -> None:
        self._set_clock()
        try:
            self.step = self.flow.send(answer) if fault is None else self.flow.throw(fault)
        except StopIteration as finished:
            self.over, self.result = True, finished.value
        except SessionUnavailable as error:
            self.over, self.result = True, error

    def advance(self) -> None:
        """Answer the pending question."""
        browser, stage = self.browser, self.browser.stage
        world: World = browser.world._replace(now=int(browser.now))
        answer: Any = None
        match self.step:
            case Keys():
                answer = stage.keys
            case Report(event):
                browser.alarms += event == "reuse"
            case Load() | LoadAll():
                answer = dict(world.row or {})
            case Write(change):
                world, answer = stage._write(world, self.actor, change)
            case Refresh(request) if browser.now - START > request.send_before:
                self._ask(None, ProviderUnavailable("late", sent=False, reason=TOO_LATE))
                return
            case Refresh(request):
                browser.refreshes += 1
                world, answer = stage._provider(world._replace(calls=()), request.refresh_token)
            case Sleep(seconds):
                browser.wait(seconds)
            case Revoke(token):
                from races import pool_model

                world = world._replace(pool=pool_model.revoke(world.pool, token, stage.scenario.rules))
        browser.world = world
        self._ask(answer)

    def deliver(self) -> None:
        """The response reaches the browser."""
        if isinstance(self.result, Active) and self.result.session.set_cookies:
            self.browser.jar = self.result.session.access_token


def benign(seed: int, rules: PoolRules, tally: Tally) -> None:
    """Several bursts of overlapping tabs over several token lives; idle in between for anything up to three lives."""
    browser = Browser(seed, rules)
    dice = browser.random
    for _ in range(6):
        browser.wait(dice.choice((1, 5, 40, 250, 299, 301, 310, 900)) * dice.uniform(0.9, 1.1))
        _burst(browser, dice, tally)
    last = browser.settle(browser.jar)
    if isinstance(last, SessionUnavailable):
        browser.wait(20)
        last = browser.settle(browser.jar)
    tally.schedules += 1
    tally.refreshes += browser.refreshes
    if browser.alarms:
        tally.false_alarms.append(seed)
    if not isinstance(last, Active):
        tally.lost.append(seed)


def _burst(browser: Browser, dice: Random, tally: Tally) -> None:
    """Up to four requests that overlap; each response is delivered late, out of order, or never; a worker may die."""
    waiting = dice.randint(1, 4)
    running: list[Request] = []
    arrived: list[Request] = []
    while waiting or running or arrived:
        choice = dice.random()
        if waiting and (choice < 0.3 or not (running or arrived)):
            running.append(browser.start(browser.jar))
            tally.requests += 1
            waiting -= 1
        elif running and choice < 0.9:
            request = dice.choice(running)
            if dice.random() < 0.01:
                running.remove(request)
                _reload(browser)
            elif not request.over:
                request.advance()
            if request.over and request in running:
                running.remove(request)
                arrived.append(request)
        elif arrived:
            response = arrived.pop(dice.randrange(len(arrived)))
            if dice.random() < 0.85:
                response.deliver()
        browser.wait(dice.choice((0, 0, 0, 0.05, 0.3)))


def _reload(browser: Browser) -> None:
    """After a worker's death the page is asked for again, within Cognito's grace."""
    browser.wait(10)
    browser.settle(browser.jar)


def theft(seed: int, rules: PoolRules, tally: Tally) -> None:
    """A thief copies the jar; both go on, in random order, with gaps beyond the overlap and the token's life."""
    browser = Browser(seed, rules)
    dice = browser.random
    browser.settle(browser.jar)
    stolen = owner = browser.jar
    outcomes: list[Any] = []
    for who in dice.sample(("owner", "thief"), 2) * 2:
        browser.wait(LIFE + 60 + dice.uniform(5, 900))
        outcome = browser.settle(owner if who == "owner" else stolen)
        outcomes.append(outcome)
        if isinstance(outcome, Active):
            browser.settle(outcome.session.access_token)
            if who == "owner":
                owner = outcome.session.access_token
            else:
                stolen = outcome.session.access_token
    tally.schedules += 1
    tally.thefts_noticed += any(isinstance(o, Rejected) and o.reason is Reason.REUSE for o in outcomes)


def run(count: int, thefts: int, seed: int = 0) -> Tally:
    """So many benign schedules and so many thefts, under rotation and without."""
    tally = Tally()
    readings = [PoolRules(life=LIFE), PoolRules(life=LIFE, rotation=False), PoolRules(life=LIFE, semantics="B")]
    for number in range(count):
        benign(seed + number, readings[number % 3], tally)
    stolen = Tally()
    for number in range(thefts):
        theft(seed + number, readings[number % 3], stolen)
    tally.thefts_noticed = stolen.thefts_noticed
    return tally
