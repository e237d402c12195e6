"""How a request reaches an application of each kind, without any framework's test client: ASGI, WSGI, and Lambda's gateways.

What comes back is what a browser would be sent. No server sends a body after HEAD (RFC 9110 9.3.2).
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from web.gateways import GATEWAYS, HOST, Answer, Call

__all__ = ["Ask", "asgi", "gateway", "wsgi"]

Ask = Callable[[Call], Answer]


def asgi(application: Any, *, lifespan: bool = False) -> Ask:
    """One request in an event loop of its own; with `lifespan` all in one loop, in which the application has been started."""

    async def exchange(call: Call) -> Answer:
        sent: list[dict[str, Any]] = []
        received = iter([{"type": "http.request", "body": call.body, "more_body": False}])
        answered = asyncio.Event()

        async def receive() -> dict[str, Any]:
            for message in received:
                return message
            await answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "https",
            "server": (HOST, 443),
            "client": ("127.0.0.1", 5000),
            "root_path": "",
            "method": call.method,
            "path": unquote(call.path),
            "raw_path": call.path.encode(),
            "query_string": call.query.encode(),
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in call.sent],
        }
        await asyncio.wait_for(application(scope, receive, send), 30)
        head = next(message for message in sent if message["type"] == "http.response.start")
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head["headers"]]
        return _sent(call, Answer(head["status"], pairs, b"".join(message.get("body", b"") for message in sent)))

    if not lifespan:
        return lambda call: asyncio.run(exchange(call))
    loop = _started(application)
    return lambda call: asyncio.run_coroutine_threadsafe(exchange(call), loop).result(60)


def _started(application: Any) -> asyncio.AbstractEventLoop:
    """A loop in a thread, which ends with the process, after the application's startup (ASGI lifespan protocol)."""
    loop, done = asyncio.new_event_loop(), threading.Event()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    messages = iter([{"type": "lifespan.startup"}])

    async def receive() -> Any:
        for message in messages:
            return message
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        assert message["type"] == "lifespan.startup.complete", message
        done.set()

    asyncio.run_coroutine_threadsafe(application({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send), loop)
    assert done.wait(30)
    return loop


def wsgi(application: Any) -> Ask:
    """One request in this thread."""

    def ask(call: Call) -> Answer:
        begun: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
            begun.append((int(status.split(maxsplit=1)[0]), headers))
            return lambda _: None

        body = application(_environ(call), start_response)
        try:
            content = b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        status, headers = begun[-1]
        return _sent(call, Answer(status, [(name, value.strip(" \t")) for name, value in headers], content))  # RFC 9110 5.5

    return ask


def _environ(call: Call) -> dict[str, Any]:
    """RFC 3875 and PEP 3333; a server joins repeated headers, cookies by semicolons (RFC 9113 8.2.3)."""
    headers: dict[str, str] = {}
    for name, value in call.sent:
        key = "HTTP_" + name.upper().replace("-", "_")
        headers[key] = f"{headers[key]}{'; ' if name == 'Cookie' else ','}{value}" if key in headers else value
    return {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(call.path, encoding="latin-1"),
        "QUERY_STRING": call.query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(call.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **headers,
    }


def gateway(name: str, handler: Any, context: Any = None) -> Ask:
    """Through the model of a gateway; see web.gateways."""
    between = GATEWAYS[name]

    def ask(call: Call) -> Answer:
        return _sent(call, between.answer(handler(between.event(call), context)))

    return ask


def _sent(call: Call, answer: Answer) -> Answer:
    return answer._replace(body=b"") if call.method == "HEAD" else answer
