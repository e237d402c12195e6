"""Journal: what each request of a browser cost at AWS, and the panel that shows it on the page.

It stands around the whole app and knows nothing of it: the stack's log is looked at before and after a request, and a page
that leaves a place for the panel gets it, with the requests since the last page: those that ended in a redirect. Answers to
scripts get a header instead. Which browser it is says a random cookie that proves nothing and opens nothing.

Requests that overlap see each other's calls, which the panel says.
"""

import re
import threading
from collections import OrderedDict, deque
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple
from uuid import uuid4

from cognito_session.local.gateway import Handler
from examples.demo.markup import Html, html, joined
from examples.demo.tally import Meter, Tally

__all__ = ["PANEL", "Journal"]

PANEL: Final = Html("<!--panel-->")
"""Where a page wants the panel. No text of a request can say this: it would be escaped."""

_COOKIE: Final = "__Host-demo-panel"
_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"
_ID: Final = re.compile(r"[0-9a-f]{32}")
_BROWSERS: Final = 100
_REQUESTS: Final = 12


class _Entry(NamedTuple):
    method: str
    path: str
    status: int
    tally: Tally
    shared: bool


class Journal:
    """`meter` reads the stack's log; `unobserved` are paths that call nothing."""

    def __init__(self, meter: Meter, unobserved: Collection[str] = ()) -> None:
        self._meter = meter
        self._unobserved = frozenset(unobserved)
        self._lock = threading.Lock()
        self._browsers: OrderedDict[str, deque[_Entry]] = OrderedDict()
        self._begun = 0
        self._active = 0

    def around(self, app: Handler) -> Handler:
        """The app, observed."""

        def observed(event: dict[str, Any], context: Any) -> Any:
            if event["rawPath"] in self._unobserved:
                return app(event, context)
            began, alone = self._begin()
            mark = self._meter.mark()
            try:
                answer = app(event, context)
                tally = self._meter.since(mark)
            finally:
                alone = self._end(began) and alone
            return self._noted(event, answer, tally, shared=not alone)

        return observed

    def _begin(self) -> tuple[int, bool]:
        with self._lock:
            self._begun += 1
            self._active += 1
            return self._begun, self._active == 1

    def _end(self, began: int) -> bool:
        """Whether nothing has begun since."""
        with self._lock:
            self._active -= 1
            return self._begun == began

    def _noted(self, event: Mapping[str, Any], answer: dict[str, Any], tally: Tally, *, shared: bool) -> dict[str, Any]:
        http = event["requestContext"]["http"]
        entry = _Entry(http["method"], event["rawPath"], answer["statusCode"], tally, shared)
        kind = str(answer["headers"].get("Content-Type", ""))
        if kind.startswith("application/json"):
            return {**answer, "headers": {**answer["headers"], "X-Calls": str(tally)}}
        known = _browser_of(event)
        browser = known or uuid4().hex
        trail = self._trail(browser, entry, shown=PANEL in str(answer.get("body", "")))
        body = str(answer.get("body", "")).replace(PANEL, _panel(trail)) if trail else answer.get("body", "")
        cookies = [*answer.get("cookies", []), *([] if known else [f"{_COOKIE}={browser}; {_ATTRIBUTES}"])]
        return {**answer, "body": body, **({"cookies": cookies} if cookies else {})}

    def _trail(self, browser: str, entry: _Entry, *, shown: bool) -> list[_Entry]:
        """The requests since this browser's last page, where this answer is one; they are forgotten then."""
        with self._lock:
            entries = self._browsers.setdefault(browser, deque(maxlen=_REQUESTS))
            self._browsers.move_to_end(browser)
            while len(self._browsers) > _BROWSERS:
                self._browsers.popitem(last=False)
            entries.append(entry)
            if not shown:
                return []
            del self._browsers[browser]
            return list(entries)


def _browser_of(event: Mapping[str, Any]) -> str | None:
    values = [pair.partition("=")[2] for pair in event.get("cookies", ()) if pair.startswith(f"{_COOKIE}=")]
    return values[0] if len(values) == 1 and _ID.fullmatch(values[0]) else None


_PANEL: Final = """<aside class="panel" aria-labelledby="panel-title">
<details open>
<summary><h2 id="panel-title">Behind this page</h2> <span class="sum" id="panel-sum">{sum}</span></summary>
<ol class="requests">{requests}</ol>
<p class="hint" id="panel-live" hidden></p>
</details>
</aside>"""
_REQUEST: Final = """<li><p class="request"><span class="method">{method}</span> <code>{path}</code>
<span class="status" data-kind="{kind}">{status}</span></p>
<p class="cost">{tally}</p>{operations}{shared}</li>"""
_OPERATION: Final = '<li data-service="{service}"><span class="service">{service}</span> {operation}{times}</li>'
_SHARED: Final = Html('<p class="hint">Another request was served at the same time; its calls are among these.</p>')


def _panel(trail: list[_Entry]) -> Html:
    return html(_PANEL, sum=trail[-1].tally, requests=joined(_request(entry) for entry in trail))


def _request(entry: _Entry) -> Html:
    operations = joined(
        html(_OPERATION, service=service, operation=operation, times=number > 1 and f" ({number} times)")
        for service, operation, number in entry.tally.operations
    )
    return html(
        _REQUEST,
        method=entry.method,
        path=entry.path,
        status=entry.status,
        kind=f"{entry.status // 100}xx",
        tally=entry.tally,
        operations=html('<ul class="operations">{each}</ul>', each=operations) if operations else None,
        shared=_SHARED if entry.shared else None,
    )
