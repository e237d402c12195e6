"""The packages of the `local` extra: imported when they are needed, with a clear message if one is missing."""

import subprocess
import sys

import pytest

from cognito_session.local import sign_up_pages, totp

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
LOADED = """
import sys
import cognito_session.testing, cognito_session.local.stack, cognito_session.local.sign_up_pages, cognito_session.local.totp
import cognito_session.testing.plugin, cognito_session.testing.cognito
print(*sorted({"jinja2", "pyotp", "ministack"} & set(sys.modules)))
"""


def test_importing_the_kit_and_the_stack_needs_no_package_of_the_extra():
    """The modules that a test imports load neither jinja2 nor pyotp nor ministack."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    "work",
    [totp.new_totp_secret, lambda: totp.totp_code(SECRET, 1000.0), lambda: totp.totp_matches(SECRET, "123456", 1000.0)],
)
def test_a_code_without_pyotp_says_what_to_install(monkeypatch, work):
    """Where a code is needed and pyotp is missing, the error names the package and the extra."""
    monkeypatch.setitem(sys.modules, "pyotp", None)
    with pytest.raises(ImportError, match=r"pyotp: install cognito-session\[local\]"):
        work()


def test_a_page_without_jinja2_says_what_to_install(monkeypatch):
    """Where a page is rendered and jinja2 is missing, the error names the package and the extra."""
    sign_up_pages._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"jinja2: install cognito-session\[local\]"):
        sign_up_pages.sign_up_page({}, "https://app.example/")


def test_pages_escape_what_a_request_sent():
    """Hidden fields, filled-in values, the error and the address are escaped, names included."""
    page = sign_up_pages.sign_up_page({'"><i>': '"><b>'}, 'x"><u>', error="<s>", form={"username": '"><em>'}).body.decode()
    assert not any(tag in page for tag in ("<i>", "<b>", "<u>", "<s>", "<em>"))
    assert page.count("&#34;&gt;") == 4


@pytest.mark.parametrize("code", ["\uff11\uff12\uff13\uff14\uff15\uff16", 123456, None, ""])
def test_only_ascii_text_can_be_a_code(code):
    """A number, nothing, and digits of another script do not match."""
    assert totp.totp_matches(SECRET, code, 1000.0) is False


def test_a_code_in_digits_of_another_script_is_wrong():
    """Pyotp would take the right code in fullwidth digits; Cognito takes six ASCII digits."""
    right = totp.totp_code(SECRET, 1000.0)
    assert totp.totp_matches(SECRET, right, 1000.0)
    assert not totp.totp_matches(SECRET, "".join(chr(ord(digit) + 0xFEE0) for digit in right), 1000.0)
