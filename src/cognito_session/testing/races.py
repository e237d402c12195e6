"""Two concurrent requests in every order: the part of `Cognito` for concurrency tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cognito_session.testing.interleaver import interleavings, play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cognito_session.testing.attachment import Attachment
    from cognito_session.testing.browser import Browser
    from cognito_session.testing.interleaver import Run
    from cognito_session.testing.kit_state import KitState

__all__ = ["Races"]


class Races:
    """Interleaved runs. Each run starts from the whole state of the kit."""

    _state: KitState
    _attachments: list[Attachment]
    _browser: Browser
    _last: Browser
    _named: dict[str, Browser]

    def interleave(self, first: Callable[[], Any], second: Callable[[], Any], *, order: str = "") -> Run:
        """Run two concurrent requests, each in its own thread, one turn at a time.

        A turn ends before the next call to DynamoDB or Cognito. `order` is the sequence of turns ("1221"); after its end, the
        last request continues. Coroutines are supported. Raises ValueError for an impossible order, TimeoutError for stuck
        requests.
        """
        return play(self._state.scheduler, (first, second), order)

    def interleavings(
        self,
        first: Callable[[], Any],
        second: Callable[[], Any],
        *,
        before: Callable[[], None] | None = None,
        switches: int | None = 2,
        limit: int = 500,
    ) -> Iterator[Run]:
        """One Run for every order of the two requests, each from the current state: clock, rows, tokens and browsers.

            for run in cognito.interleavings(lambda: handler(event, ctx), lambda: handler(event, ctx)):
                assert run.first["statusCode"] == run.second["statusCode"] == 200

        A framework's client keeps its own cookies: create it within the callables (`cognito.client(app).get("/")`). Orders
        have at most `switches` interruptions (None: any number), simplest first, and there are at most `limit` of them.
        `before` runs before each run and after the last one, to recreate your own state. After the loop the state is as before
        it. To repeat a failing run, call `interleave(first, second, order=run.order)`.
        """
        restore = self._mark()

        def restart() -> None:
            restore()
            if before is not None:
                before()

        return interleavings(self._state.scheduler, (first, second), restart=restart, switches=switches, limit=limit)

    def _mark(self) -> Callable[[], None]:
        """A function that restores the current state."""
        browser, last, named = self._browser, self._last, dict(self._named)
        marks = [self._state.mark(), *(each.mark() for each in {browser, last, *named.values()})]
        marks += [each.mark() for each in self._attachments]

        def restore() -> None:
            self._browser, self._last, self._named = browser, last, dict(named)
            for mark in marks:
                mark()

        return restore
