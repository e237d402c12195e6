"""Two requests that meet, and every order in which they can: the part of `Cognito` for races."""

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
    """Interleaving; the state that runs begin from is everything the kit holds."""

    _state: KitState
    _attachments: list[Attachment]
    _browser: Browser
    _last: Browser
    _named: dict[str, Browser]

    def interleave(self, first: Callable[[], Any], second: Callable[[], Any], *, order: str = "") -> Run:
        """Run two requests that meet, each in its own thread, one turn at a time: a turn ends before the next call to DynamoDB
        or Cognito. `order` is whose turn it is ("1221"); where it ends, the last one goes on. Coroutines are run as well.

        Raises ValueError for an order that cannot be, TimeoutError for requests that get stuck.
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
        """One Run for every order in which the two can meet, each from the state of now: clock, rows, tokens and browsers.

            for run in cognito.interleavings(lambda: handler(event, ctx), lambda: handler(event, ctx)):
                assert run.first["statusCode"] == run.second["statusCode"] == 200

        A framework's client keeps cookies of its own: make it within the callables (`cognito.client(app).get("/")`).
        Orders with at most `switches` interruptions are tried (None: all), the simplest first, at most `limit`. `before` is
        called before each run and after the last: there you make anew what is your own. When the loop ends everything is as it
        was before. A run that fails is played again by `interleave(first, second, order=run.order)`.
        """
        restore = self._mark()

        def restart() -> None:
            restore()
            if before is not None:
                before()

        return interleavings(self._state.scheduler, (first, second), restart=restart, switches=switches, limit=limit)

    def _mark(self) -> Callable[[], None]:
        """The way back to this moment."""
        browser, last, named = self._browser, self._last, dict(self._named)
        marks = [self._state.mark(), *(each.mark() for each in {browser, last, *named.values()})]
        marks += [each.mark() for each in self._attachments]

        def restore() -> None:
            self._browser, self._last, self._named = browser, last, dict(named)
            for mark in marks:
                mark()

        return restore
