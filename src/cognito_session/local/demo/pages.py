"""The pages: plain HTML that works without scripts, in answers of payload format 2.0.

Nothing is inline, so that the content security policy can forbid everything that is not a file of ours.
"""

from html import escape
from typing import Any, Final

from cognito_session import Session

__all__ = ["plain", "session_page", "sign_in_page"]

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - cognito-session demo</title>
<link rel="stylesheet" href="/app.css">
{head}</head>
<body>
<header><p>cognito-session demo</p></header>
<main>
<h1>{heading}</h1>
{body}
</main>
</body>
</html>
"""

_SIGN_IN: Final = """{problem}<form method="post" action="/sign-in">
<label for="username">User name</label>
<input id="username" name="username" value="{username}" autocomplete="username" autocapitalize="none" spellcheck="false"
 maxlength="128" required{described}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="256" required{described}>
<button>Sign in</button>
</form>
<p class="hint">The terminal that runs the demo shows a user name and a password.</p>"""

_SESSION: Final = """<dl>
<dt>User</dt><dd>{username}</dd>
<dt>Subject</dt><dd><code>{sub}</code></dd>
<dt>Groups</dt><dd>{groups}</dd>
</dl>
<section aria-labelledby="token-title">
<h2 id="token-title">Access token</h2>
<noscript><p>Without scripts this page does not follow the token: reload it to be served with a fresh one.</p></noscript>
<p><label for="life">Life left:</label> <output id="left" for="life" aria-live="off">-</output></p>
<progress id="life" value="0"></progress>
<dl>
<dt>Token</dt><dd><code id="token">-</code></dd>
<dt>Generation</dt><dd id="generation">-</dd>
<dt>Refresh calls to Cognito</dt><dd id="refreshes">-</dd>
<dt>Requests of this page</dt><dd><span id="served">0</span> served, <span id="failed">0</span> failed</dd>
</dl>
</section>
<section aria-labelledby="log-title">
<h2 id="log-title">What happened</h2>
<ol id="log" role="log" aria-labelledby="log-title"></ol>
</section>
<form method="post" action="/sign-out"><button>Sign out</button></form>"""


def sign_in_page(problem: str = "", *, username: str = "", status: int = 200) -> dict[str, Any]:
    """The sign-in form, with what went wrong the last time."""
    shown = f'<p class="problem" role="alert" id="problem">{escape(problem)}</p>\n' if problem else ""
    described = ' aria-describedby="problem" aria-invalid="true"' if problem else ""
    body = _SIGN_IN.format(problem=shown, username=escape(username), described=described)
    return _html(status, _PAGE.format(title="Error: sign in" if problem else "Sign in", head="", heading="Sign in", body=body))


def session_page(me: Session) -> dict[str, Any]:
    """Who is signed in, and a script that follows the access token's life."""
    username = escape(me.username)
    body = _SESSION.format(username=username, sub=escape(me.sub), groups=escape(", ".join(me.groups)) or "none")
    head = '<script src="/app.js" defer></script>\n'
    return _html(200, _PAGE.format(title="Signed in", head=head, heading=f"Signed in as {username}", body=body))


def plain(status: int, text: str, *, kind: str = "text/plain; charset=utf-8") -> dict[str, Any]:
    """Anything that is not a page."""
    return {"statusCode": status, "headers": {**_HEADERS, "Content-Type": kind}, "body": text}


def _html(status: int, text: str) -> dict[str, Any]:
    return plain(status, text, kind="text/html; charset=utf-8")
