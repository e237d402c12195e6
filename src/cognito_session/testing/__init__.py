"""The test kit for applications: Amazon Cognito and DynamoDB in memory, with a clock that the test advances.

    def test_handler(cognito):                             # pytest's fixture; no cloud, no server
        cognito.attach(sessions)                           # the application's own SessionManager or AsyncSessionManager
        event = cognito.event("http-v2", groups=["admin"])
        assert handler(event, cognito.context)["statusCode"] == 200
        cognito.advance(3600)
        cognito.fail("dynamodb")
        assert handler(event, cognito.context)["statusCode"] == 503

Without pytest: `with Cognito() as cognito: ...`. These names are stable; other names of the package's modules are not.

- `Cognito`: the kit; `Browser`: the result of `sign_in`; `CallLog` and `Call`: the calls; `Run`: one of `interleavings`
- `FakePool`: the user pool alone; `MemoryStore`: a SessionStore in a dictionary; `ManualClock`: a clock that a test advances
- `StoreContract`: the tests that every SessionStore must pass (it imports pytest)
- `FORMS` and `EventForm`: the forms of Lambda events; `LambdaContext`: the second argument of a handler
- `set_defaults`: harmless environment variables for applications that read them on import
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session._lazy import lazy_names

if TYPE_CHECKING:
    from cognito_session.testing.browser import Browser
    from cognito_session.testing.call_log import Call, CallLog
    from cognito_session.testing.clock import ManualClock
    from cognito_session.testing.cognito import Cognito
    from cognito_session.testing.environment import set_defaults
    from cognito_session.testing.events import FORMS, EventForm
    from cognito_session.testing.fake_pool import FakePool
    from cognito_session.testing.interleaver import Run
    from cognito_session.testing.lambda_context import LambdaContext
    from cognito_session.testing.memory_store import MemoryStore
    from cognito_session.testing.store_contract import StoreContract

__all__ = [
    "FORMS",
    "Browser",
    "Call",
    "CallLog",
    "Cognito",
    "EventForm",
    "FakePool",
    "LambdaContext",
    "ManualClock",
    "MemoryStore",
    "Run",
    "StoreContract",
    "set_defaults",
]

_LAZY = {
    "FORMS": "events",
    "Browser": "browser",
    "Call": "call_log",
    "CallLog": "call_log",
    "Cognito": "cognito",
    "EventForm": "events",
    "FakePool": "fake_pool",
    "LambdaContext": "lambda_context",
    "ManualClock": "clock",
    "MemoryStore": "memory_store",
    "Run": "interleaver",
    "StoreContract": "store_contract",
    "set_defaults": "environment",
}


# pytest loads the plugin in every run, so imports wait until a test uses a name
if not TYPE_CHECKING:
    __getattr__ = lazy_names(globals(), {name: f"{__name__}.{module}" for name, module in _LAZY.items()})


def __dir__() -> list[str]:
    return __all__
