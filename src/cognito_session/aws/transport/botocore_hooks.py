"""Hooks on botocore clients: they count what a call sends, sign by AWS's clock and check answers.

Rules: a second request of a `once` call is refused. An answer that is not AWS JSON is refused before botocore reads it. The
hooks act only within `watched(...)`, so calls that the application makes with its own clients are not changed.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.client import ClientMeta
from botocore.exceptions import NoCredentialsError

from cognito_session.aws.transport.answer import read_object, request_id
from cognito_session.aws.transport.debug_log_filter import without_debug_logs
from cognito_session.aws.transport.interface import MAX_ANSWER_BYTES, AnswerLost, ServiceError
from cognito_session.aws.transport.server_clock import amz_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cognito_session.aws.transport.access_keys import AccessKeys

__all__ = ["Watch", "check_answer", "install_hooks", "tells_what_was_sent", "watched"]

_call: ContextVar[Watch | None] = ContextVar("cognito_session_call", default=None)
"""The current call of this thread or greenlet. A thread-local that was made before gevent's patches would be shared."""


class Watch:
    """One call: how many of its requests were `sent`, and how many `ahead_seconds` AWS's clock is ahead.

    `known` is False for a fake client without botocore's events, because `sent` is then not counted. `without_credentials`
    means that credentials or settings could not be resolved.
    """

    def __init__(self, *, once: bool, ahead_seconds: float) -> None:
        self.once = once
        self.ahead_seconds = ahead_seconds
        self.known = False
        self.without_credentials = False
        self.sent = 0
        self.keys: AccessKeys | None = None  # the wire's own keys that sign it, if any


@contextlib.contextmanager
def watched(*, once: bool, ahead_seconds: float = 0.0) -> Iterator[Watch]:
    """Count what this thread sends. The second request of a `once` call is refused with AnswerLost."""
    watch = Watch(once=once, ahead_seconds=ahead_seconds)
    token = _call.set(watch)
    try:
        with without_debug_logs():
            yield watch
    finally:
        _call.reset(token)


class _ShiftedAuth(SigV4Auth):  # type: ignore[misc] # botocore has no types
    """botocore's SigV4 signer, by a clock that is `ahead_seconds` ahead of this machine's. botocore takes no time itself."""

    def __init__(self, credentials: Any, service_name: str, region_name: str, ahead_seconds: float) -> None:
        super().__init__(credentials, service_name, region_name)
        self._ahead_seconds = ahead_seconds

    def add_auth(self, request: Any) -> None:
        """Put the signature's headers on the request."""
        if self.credentials is None:
            raise NoCredentialsError
        request.context["timestamp"] = amz_date(self._ahead_seconds)
        self._modify_request_before_signing(request)
        string_to_sign = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(string_to_sign, request))


def _choose_no_signer(**_: Any) -> Any:
    """Stop botocore from signing if AWS's clock is known to differ; `_sign_by_server_clock` then signs."""
    watch = _call.get()
    return UNSIGNED if watch is not None and watch.ahead_seconds else None


def _sign_by_server_clock(request: Any, signing_name: str, region_name: str, request_signer: Any, **_: Any) -> None:
    watch = _call.get()
    if watch is None or not watch.ahead_seconds:
        return
    signing = request.context.get("signing", {})
    name, region = signing.get("signing_name") or signing_name, signing.get("region") or region_name
    credentials = request_signer.get_auth_instance(name, region, "v4").credentials
    _ShiftedAuth(credentials, name, region, watch.ahead_seconds).add_auth(request)


def _guard_send(request: Any, **_: Any) -> None:
    """Count each send, resends included. The connection of a `once` call is not kept."""
    watch = _call.get()
    if watch is None:
        return
    if watch.once:
        if watch.sent:
            raise AnswerLost("sent once without an answer; the client's own retry was refused")
        request.headers["Connection"] = "close"
    watch.sent += 1


def check_answer(response_dict: Mapping[str, Any], operation_model: Any, **_: Any) -> None:
    """Refuse an answer that is not AWS JSON: botocore would read a proxy's 200 page as an empty answer, so as "no item"."""
    service, status = operation_model.service_model.endpoint_prefix, response_dict["status_code"]
    name, body = f"{service}.{operation_model.name}", response_dict["body"] or b""
    if len(body) > MAX_ANSWER_BYTES:
        raise AnswerLost(f"{name}: refused an answer of more than {MAX_ANSWER_BYTES} bytes")
    if read_object(service, body) is None:
        headers = {str(key).lower(): str(value) for key, value in response_dict.get("headers", {}).items()}
        raise ServiceError(name, f"HTTP{status}", status, request_id=request_id(headers), date=headers.get("date", ""))


def install_hooks(client: Any) -> None:
    """Install the hooks on a client, ours or injected. A fake client without events gets none.

    They run before all other hooks, because a hook that answers in place of the network ends the event.
    """
    with contextlib.suppress(AttributeError):
        events = client.meta.events
        events.register_first("choose-signer", _choose_no_signer, unique_id="cognito-session-signer")
        events.register_last("before-sign", _sign_by_server_clock, unique_id="cognito-session-sign")
        events.register_first("before-send", _guard_send, unique_id="cognito-session-once")


def tells_what_was_sent(client: Any) -> bool:
    """Whether a Watch counts what this client sends."""
    return isinstance(getattr(client, "meta", None), ClientMeta)
