"""Whether a view is guarded that an application already has unguarded: `@session_required` stands above `@app.route`.

`@app.route` registers the function that it is given and returns it. What a decorator above makes of it is then a name in the
module and nothing that Flask calls: everybody is served. Found in any order of import: when the view is decorated, when the
application gets its CognitoSession, and when a blueprint's views are registered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

from cognito_session.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    import flask

__all__ = ["remember", "watch"]

_applications: WeakSet[flask.Flask] = WeakSet()
_guards: WeakSet[Callable[..., Any]] = WeakSet()
_bare: dict[int, ref[Any]] = {}
"""The bare functions below a guard, by identity."""


def remember(view: Callable[..., Any], guard: Callable[..., Any]) -> None:
    """`guard` is put around `view`. Raises ConfigurationError where an application has the view already, unguarded."""
    _guards.add(guard)
    if view in _guards:
        return
    for application in list(_applications):
        if any(known is view for known in application.view_functions.values()):
            raise _wrong_order(view)
    key = id(view)
    try:
        _bare[key] = ref(view, lambda _: _bare.pop(key, None))
    except TypeError:  # no weak reference can be made to it, such as to a builtin
        return


def watch(application: flask.Flask) -> None:
    """Refuse bare views that a guard was put around, now and later. Raises ConfigurationError."""
    _applications.add(application)
    for view in application.view_functions.values():
        _check(view)
    add = application.add_url_rule

    def add_url_rule(
        rule: str, endpoint: str | None = None, view_func: Callable[..., Any] | None = None, *arguments: Any, **options: Any
    ) -> None:
        _check(view_func)
        add(rule, endpoint, view_func, *arguments, **options)

    application.add_url_rule = add_url_rule  # type: ignore[method-assign] # blueprints register through it as well


def _check(view: Any) -> None:
    known = _bare.get(id(view))
    if known is not None and known() is view:
        raise _wrong_order(view)


def _wrong_order(view: Any) -> ConfigurationError:
    name = getattr(view, "__qualname__", repr(view))
    return ConfigurationError(
        f"session_required: the application has the view {name} without it, so that everybody would be served; put"
        " @session_required below @app.route. To serve the same function to everybody at another path, register a function of"
        " its own there"
    )
