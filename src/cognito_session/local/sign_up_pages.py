"""The two pages of a sign-up, as HTML: who one is, and the code that was sent.

Plain forms without script: every field has its label, an error is announced and stands in the title. Whatever came from
a request is escaped.
"""

from collections.abc import Mapping
from html import escape

from cognito_session.local.http_response import HttpResponse

__all__ = ["code_page", "details_page"]

_STYLE = """
body{font:1rem/1.5 system-ui,sans-serif;color:#16191f;background:#f2f3f3;margin:0;padding:2rem 1rem}
main{max-width:24rem;margin:0 auto;padding:2rem;background:#fff;border:1px solid #aab7b8;border-radius:.5rem}
label{display:block;margin:1rem 0 .25rem;font-weight:600}
input{box-sizing:border-box;width:100%;padding:.5rem;font:inherit;border:1px solid #687078;border-radius:.25rem}
button{margin-top:1.5rem;padding:.5rem 1rem;font:inherit;color:#fff;background:#0a5a9c;border:0;border-radius:.25rem}
:focus-visible{outline:3px solid #f2a900;outline-offset:2px}
a{display:inline-block;margin:1.5rem 0 0 1rem;color:#0a5a9c}
.error{padding:.5rem;color:#8a1f11;background:#fdf0ee;border:1px solid #8a1f11;border-radius:.25rem}
"""


def details_page(
    asked: Mapping[str, str], cancel: str, *, error: str = "", form: Mapping[str, str] | None = None
) -> HttpResponse:
    """The page that asks for name, email and password; `form` is what was filled in before, `cancel` an address."""
    filled = form or {}
    fields = (
        _field("username", "User name", filled, autocomplete="username"),
        _field("email", "Email", filled, kind="email", autocomplete="email"),
        _field("password", "Password", {}, kind="password", autocomplete="new-password"),
    )
    return _page("Sign up", "".join(fields), error=error, hidden=asked, button="Sign up", cancel=cancel)


def code_page(token: str, cancel: str, *, error: str = "") -> HttpResponse:
    """The page that asks for the code; `token` says whose sign-up it ends."""
    field = _field("code", "Confirmation code", {}, autocomplete="one-time-code", more=' inputmode="numeric"')
    hidden = {"signup_token": token}
    return _page("Confirm your email", field, error=error, hidden=hidden, button="Confirm", cancel=cancel)


def _field(name: str, label: str, filled: Mapping[str, str], *, autocomplete: str, kind: str = "text", more: str = "") -> str:
    value = escape(filled.get(name, ""))
    return (
        f'<label for="{name}">{label}</label>'
        f'<input id="{name}" name="{name}" type="{kind}" value="{value}" autocomplete="{autocomplete}" required{more}>\n'
    )


def _page(title: str, fields: str, *, error: str, hidden: Mapping[str, str], button: str, cancel: str) -> HttpResponse:
    carried = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(hidden[name])}">\n' for name in hidden)
    alert = f'<p class="error" role="alert">{escape(error)}</p>\n' if error else ""
    html = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{"Error: " if error else ""}{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{alert}<form method="post" action="/signup">
{carried}{fields}<button type="submit">{button}</button>
<a href="{escape(cancel)}">Cancel</a>
</form>
</main>
</body>
</html>
"""
    headers = ((b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store"))
    return HttpResponse(200, headers, html.encode())
