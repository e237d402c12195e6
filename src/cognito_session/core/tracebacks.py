"""forget_locals(): an error whose traceback keeps its lines and loses the variables of the calls that have ended.

Error trackers send the local variables of each frame. Below the library's entry points they hold tokens and passwords: in
the flows, and in what botocore and urllib3 made of a payload. The frames of callers, which are still running, are not touched.
"""

from __future__ import annotations

from contextlib import suppress

__all__ = ["forget_locals"]

_MOST_LINKS = 20


def forget_locals(error: BaseException, handled: BaseException | None) -> None:
    """Clear the frames of `error` and of the errors that it came from.

    `handled` is the error that the caller was handling at entry (`sys.exception()`): it and what came before it are the
    caller's own, and keep their variables.
    """
    seen: set[int] = {id(handled)}
    waiting: list[BaseException | None] = [error]
    while waiting and len(seen) <= _MOST_LINKS:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        frames = link.__traceback__
        while frames is not None:
            with suppress(RuntimeError):  # it is still running: a caller's
                frames.tb_frame.clear()
            frames = frames.tb_next
        waiting += (link.__context__, link.__cause__)
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
