"""The panel that shows, on each page, the calls to AWS behind the requests of a browser.

It wraps the whole app: it reads the stack's log before and after a request. A page with a place for the panel gets the
requests since the browser's last page, so redirects are included. A JSON response gets a header instead. A random cookie
tells browsers apart; it grants nothing.

Requests that overlap see each other's calls, and the panel says so.
"""

import re
import threading
from collections import OrderedDict, deque
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple
from uuid import uuid4

from cognito_session.local.gateway import Handler
from examples.demo.call_counts import CallCounts, CallMeter
from examples.demo.pages import PANEL, render

__all__ = ["CallPanel"]

_COOKIE: Final = "__Host-demo-panel"
_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"
_BROWSER_ID: Final = re.compile(r"[0-9a-f]{32}")
_MAX_BROWSERS: Final = 100
_MAX_REQUESTS: Final = 12


class _Request(NamedTuple):
    method: str
    path: str
    status: int
    counts: CallCounts
    overlapped: bool


class CallPanel:
    """`meter` reads the stack's log; requests for the paths in `unobserved` make no calls."""

    def __init__(self, meter: CallMeter, unobserved: Collection[str] = ()) -> None:
        self._meter = meter
        self._unobserved = frozenset(unobserved)
        self._lock = threading.Lock()
        self._browsers: OrderedDict[str, deque[_Request]] = OrderedDict()
        self._started = 0
        self._active = 0

    def around(self, app: Handler) -> Handler:
        """The app with the panel."""

        def observed(event: dict[str, Any], context: Any) -> Any:
            if event["rawPath"] in self._unobserved:
                return app(event, context)
            number, alone = self._start()
            mark = self._meter.mark()
            try:
                response = app(event, context)
                counts = self._meter.since(mark)
            finally:
                alone = self._end(number) and alone
            http = event["requestContext"]["http"]
            request = _Request(http["method"], event["rawPath"], response["statusCode"], counts, not alone)
            return self._reported(event, response, request)

        return observed

    def _start(self) -> tuple[int, bool]:
        """The request's number, and whether it is the only one under way."""
        with self._lock:
            self._started += 1
            self._active += 1
            return self._started, self._active == 1

    def _end(self, number: int) -> bool:
        """Whether no other request started after this one."""
        with self._lock:
            self._active -= 1
            return self._started == number

    def _reported(self, event: Mapping[str, Any], response: dict[str, Any], request: _Request) -> dict[str, Any]:
        if str(response["headers"].get("Content-Type", "")).startswith("application/json"):
            return {**response, "headers": {**response["headers"], "X-Calls": str(request.counts)}}
        known = _browser_id(event)
        browser = known or uuid4().hex
        body = str(response.get("body", ""))
        requests = self._add(browser, request, is_page=PANEL in body)
        if requests:
            body = body.replace(PANEL, render("panel.html", requests=requests))
        cookies = [*response.get("cookies", []), *([] if known else [f"{_COOKIE}={browser}; {_ATTRIBUTES}"])]
        return {**response, "body": body, **({"cookies": cookies} if cookies else {})}

    def _add(self, browser: str, request: _Request, *, is_page: bool) -> list[_Request]:
        """Adds the request. For a page, returns the requests since the last page and forgets them."""
        with self._lock:
            requests = self._browsers.setdefault(browser, deque(maxlen=_MAX_REQUESTS))
            self._browsers.move_to_end(browser)
            while len(self._browsers) > _MAX_BROWSERS:
                self._browsers.popitem(last=False)
            requests.append(request)
            if not is_page:
                return []
            del self._browsers[browser]
            return list(requests)


def _browser_id(event: Mapping[str, Any]) -> str | None:
    values = [pair.partition("=")[2] for pair in event.get("cookies", ()) if pair.startswith(f"{_COOKIE}=")]
    return values[0] if len(values) == 1 and _BROWSER_ID.fullmatch(values[0]) else None
