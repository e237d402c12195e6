"""What the callback's address says of an error, as the log and `on_event` get it."""

from __future__ import annotations

import pytest

from cognito_session.signin.error_text import told

SECRET = "eyJhbGciOiJSUzI1NiJ9." + "a" * 60


@pytest.mark.parametrize(
    ("error", "description", "shown"),
    [
        ("server_error", None, "server_error"),
        ("server_error", "", "server_error"),
        ("invalid_request", "user.email: Attribute is required", 'invalid_request: "user.email: Attribute is required"'),
        ("x y", "a", 'unreadable: "a"'),
        ("x" * 65, None, "unreadable"),
        ("a\nERROR forged", "b", 'unreadable: "b"'),
        ("e", "one\r\nERROR two\x1b[31m\u2028three\u202efour", 'e: "one ERROR two [31m three four"'),
        ("e", 'he said "no": reason=ok', "e: \"he said 'no': reason=ok\""),
        ("e", f"token {SECRET} end", 'e: "token ... end"'),
        ("e", "w " * 400, 'e: "' + ("w " * 150) + '..."'),
        ("e", "\ud800x", 'e: "x"'),
    ],
)
def test_one_short_printable_line(error, description, shown):
    """Line ends, terminal controls, directions, quotes and tokens do not get through, and the line has an end."""
    assert told(error, description) == shown
