"""Drives a sign-in flow without a manager: the test prepares the answer to each step and sees what the operator is told."""

from __future__ import annotations

from cognito_session.core.cookie import Cookie
from cognito_session.core.crypto.access_token import TokenRules
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.context import FlowContext
from cognito_session.core.protocol.steps import Invoke, Keyrings, Report
from cognito_session.core.secret import Secret
from cognito_session.signin.pool_context import PoolContext
from cognito_session.testing.clock import ManualClock
from support.sealing_keys import ring
from support.tokens import CLIENT_ID, POOL_ID

__all__ = ["NAME", "FlowDriver", "Pool", "a_context", "pool_context"]

NAME = "__Host-session"


def counted():
    """A source of bytes that differ at each call and are the same in every run."""
    calls = iter(range(1, 100_000))
    return lambda length: next(calls).to_bytes(4, "big").rjust(length, b"\x01")


def a_context(**changes):
    """The context of a manager with keys, whose clock stands still."""
    rules = TokenRules.of_pool(POOL_ID, CLIENT_ID)
    made = FlowContext(SessionPolicy(), rules, Cookie(NAME), ManualClock(), counted(), sealed_cookie=True, seals=True)
    return made._replace(**changes)


class Pool:
    """A user pool that gives prepared answers or errors in order and records each call with its secrets revealed."""

    client_id = CLIENT_ID

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def call(self, operation, payload):
        self.asked.append((operation, revealed(payload)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def revealed(value):
    """The value as it is sent."""
    value = value.reveal() if isinstance(value, Secret) else value
    return {name: revealed(each) for name, each in value.items()} if isinstance(value, dict) else value


def pool_context(pool, **changes):
    """The pool context of that user pool."""
    return PoolContext(a_context(**changes), pool, "Shop")


class FlowDriver:
    """Answers the steps of a flow from `answers`, by type of step. `told` holds the reports, `made` every step."""

    def __init__(self, answers=None, keys=None):
        self.answers = {Keyrings: Keyring.parse(keys or ring(1)), **(answers or {})}
        self.told: list[tuple[str, str, str | None, str, bool]] = []
        self.steps: list[type] = []
        self.made: list[object] = []

    def run(self, flow):
        """What the flow returns. An answer that is an exception is thrown into the flow."""
        send, value = flow.send, None
        try:
            while True:
                step = send(value)
                self.steps.append(type(step))
                self.made.append(step)
                try:
                    send, value = flow.send, self.answer(step)
                except Exception as error:
                    send, value = flow.throw, error
        except StopIteration as end:
            return end.value

    def answer(self, step):
        if isinstance(step, Report):
            self.told.append((step.event, step.sub, step.sid, step.detail, step.limited))
            return None
        if isinstance(step, Invoke):
            return step.work()
        found = self.answers.get(type(step))
        if isinstance(found, Exception):
            raise found
        return found
