"""What an exception takes along to wherever errors are collected."""

from __future__ import annotations

__all__ = ["carried"]


def carried(error: BaseException | None) -> str:
    """The texts of an exception and of all that it is chained to: messages, arguments, and every attribute of theirs."""
    texts = []
    while error is not None:
        attributes = {
            name: getattr(error, name) for name in dir(error) if not name.startswith("__") and name != "with_traceback"
        }
        texts += [type(error).__name__, str(error), repr(error.args), repr(attributes)]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)
