"""The control endpoints on the stack's port, for tests: `POST /_test/VERB` with a JSON object, answered by a JSON object.

Verbs: reset, calls, clear_calls, fault, clear_faults, gate, gate_wait, gate_release, rules, advance, aws_clock, strong_table,
enroll_totp, rotate_keys, withdraw_keys, outbox. Wrong arguments get a 400 with a `message`. A reset keeps the clock, because
time never runs backwards.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

from cognito_session.local.emulator import Emulator
from cognito_session.local.faults import Fault, Faults
from cognito_session.local.gates import Gate, Gates
from cognito_session.local.global_tables import GlobalTables
from cognito_session.local.grants import Grants
from cognito_session.local.http_response import HttpResponse, json_response
from cognito_session.local.outbox import Outbox
from cognito_session.local.request_log import RequestLog
from cognito_session.local.signature_time import SignatureTime
from cognito_session.local.totp import new_totp_secret
from cognito_session.testing.clock import SharedClock

__all__ = ["CONTROL_PATH", "ControlEndpoints"]

CONTROL_PATH = "/_test/"
Verb = Callable[..., Awaitable[dict[str, Any]]]


class ControlEndpoints:
    """The verbs."""

    def __init__(
        self,
        emulator: Emulator,
        clock: SharedClock,
        grants: Grants,
        *,
        calls: RequestLog,
        faults: Faults,
        gates: Gates,
        outbox: Outbox,
    ) -> None:
        self._emulator, self._clock, self._grants = emulator, clock, grants
        self._calls, self._faults, self._gates, self._outbox = calls, faults, gates, outbox
        verbs = (self.reset, self.calls, self.clear_calls, self.fault, self.clear_faults, self.gate, self.gate_wait)
        more = (self.gate_release, self.rules, self.advance, self.aws_clock, self.strong_table, self.enroll_totp)
        last = (self.rotate_keys, self.withdraw_keys, self.outbox)
        self._verbs: dict[str, Verb] = {verb.__name__: verb for verb in (*verbs, *more, *last)}
        self.signature_time: SignatureTime = SignatureTime(clock)
        self.tables: GlobalTables = GlobalTables()
        self._forgetting: list[Callable[[], None]] = []

    def on_reset(self, forget: Callable[[], None]) -> None:
        """Call `forget` at each reset."""
        self._forgetting.append(forget)

    async def answer(self, path: str, body: bytes) -> HttpResponse:
        """Run one verb."""
        verb = self._verbs.get(path.removeprefix(CONTROL_PATH))
        if verb is None:
            return json_response({"message": f"expected one of {', '.join(self._verbs)}"}, status=404)
        try:
            return json_response(await verb(**json.loads(body or b"{}")))
        except (KeyError, TypeError, ValueError) as error:
            return json_response({"message": str(error)}, status=400)

    async def reset(self) -> dict[str, Any]:
        """Delete everything: pools, users, tables, sign-ins, calls, faults, gates, rules, messages, browsers."""
        self._gates.clear()
        self._faults.clear()
        self._grants.reset()
        self._emulator.reset()
        self._calls.clear()
        self._outbox.clear()
        self.signature_time.ahead_seconds = 0.0
        self.tables.clear()
        for forget in self._forgetting:
            forget()
        return {}

    async def calls(self, service: str | None = None, after: int = 0) -> dict[str, Any]:
        """The request log after this number."""
        return {"calls": self._calls.rows(service, after)}

    async def clear_calls(self) -> dict[str, Any]:
        """Clear the request log."""
        self._calls.clear()
        return {}

    async def fault(self, **fault: Any) -> dict[str, Any]:
        """Add a fault."""
        self._faults.add(Fault(**fault))
        return {}

    async def clear_faults(self) -> dict[str, Any]:
        """Remove every fault, and set AWS's clock to this machine's."""
        self._faults.clear()
        self.signature_time.ahead_seconds = 0.0
        return {}

    async def gate(self, **gate: Any) -> dict[str, Any]:
        """Add a gate."""
        return {"gate": self._gates.add(Gate(**gate))}

    async def gate_wait(self, gate: int, count: int, seconds: float) -> dict[str, Any]:
        """Wait, at most `seconds`, until the gate holds `count` requests; returns how many it holds."""
        return {"held": await self._gates.get(gate).wait_for(count, seconds)}

    async def gate_release(self, gate: int, count: int | None = None) -> dict[str, Any]:
        """Release held requests."""
        return {"released": self._gates.get(gate).release(count)}

    async def rules(self, **rules: Any) -> dict[str, Any]:
        """Change the named rotation rules; returns all of them."""
        self._grants.rules = replace(self._grants.rules, **rules)
        return asdict(self._grants.rules)

    async def advance(self, seconds: float) -> dict[str, Any]:
        """Advance the clock that all processes share."""
        self._clock.advance(seconds)
        return {"now": self._clock.now()}

    async def aws_clock(self, ahead_seconds: float) -> dict[str, Any]:
        """Set how far AWS's clock, which checks signatures, is ahead of this machine's."""
        self.signature_time.ahead_seconds = float(ahead_seconds)
        return {}

    async def strong_table(self, name: str) -> dict[str, Any]:
        """Make a table a global one with multi-Region strong consistency."""
        self.tables.add(name)
        return {}

    async def enroll_totp(self, user_pool_id: str, username: str) -> dict[str, Any]:
        """Give a user an authenticator app; returns its secret."""
        pool = self._emulator.pool(user_pool_id)
        account = self._emulator.account(pool, username) if pool else None
        if account is None:
            raise ValueError(f"no user {username!r} in pool {user_pool_id!r}")
        secret = new_totp_secret()
        account.set_totp_secret(secret)
        return {"secret": secret}

    async def rotate_keys(self, user_pool_id: str) -> dict[str, Any]:
        """Sign the tokens of a pool with new keys from now on."""
        if self._emulator.pool(user_pool_id) is None:
            raise ValueError(f"no pool {user_pool_id!r}")
        self._emulator.rotate_keys(user_pool_id)
        return {}

    async def withdraw_keys(self, user_pool_id: str) -> dict[str, Any]:
        """Remove the keys of before the last rotation from the key set."""
        self._emulator.withdraw_keys(user_pool_id)
        return {}

    async def outbox(self, username: str | None = None) -> dict[str, Any]:
        """The messages that Cognito would have sent, to one user or to all."""
        return {"messages": self._outbox.rows(username)}
