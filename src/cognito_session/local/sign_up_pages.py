"""The two HTML pages of a sign-up: the details of the new user, and the confirmation code.

The pages are forms without scripts. Each field has a label, and an error has the role `alert` and is part of the title.
jinja2 escapes every value. It belongs to the `local` extra, so that it is imported only when a page is rendered.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cognito_session.local.http_response import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

__all__ = ["confirmation_page", "sign_up_page"]

_HEADERS = ((b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store"))


def sign_up_page(
    hidden: Mapping[str, str], cancel: str, *, error: str = "", form: Mapping[str, str] | None = None
) -> HttpResponse:
    """The page that asks for name, email and password.

    `hidden`: the fields that the form carries along; `cancel`: an address; `form`: the values entered before, without the
    password. Raises ImportError if jinja2 is not installed.
    """
    return _rendered("sign_up.jinja", hidden=hidden, cancel=cancel, error=error, form=form or {})


def confirmation_page(token: str, cancel: str, *, error: str = "") -> HttpResponse:
    """The page that asks for the confirmation code. `token` identifies the sign-up. Raises ImportError as `sign_up_page`."""
    return _rendered("confirm_sign_up.jinja", hidden={"signup_token": token}, cancel=cancel, error=error)


def _rendered(template: str, **values: object) -> HttpResponse:
    return HttpResponse(200, _HEADERS, _environment().get_template(template).render(values).encode())


@cache
def _environment() -> Environment:
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("the sign-up pages need the package jinja2: install cognito-session[local]") from error
    loader = jinja2.PackageLoader("cognito_session.local")
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
