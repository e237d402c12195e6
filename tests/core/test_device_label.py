"""A device's label: its alphabet and its limit, at entry and when a row is read."""

import pytest

from cognito_session.core.device_label import MAX_LABEL_CHARS, clean_label, device_label


@pytest.mark.parametrize("spell", [clean_label, device_label])
@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "&lt;b&gt;",
        "a\x00b\x1b[31m\u202e\u2028c",
        "\uff1cscript\uff1e",
        "{{7*7}}${7*7}`x`",
    ],
)
def test_no_markup_is_left(spell, text):
    """Nothing that HTML, a terminal or a template reads as more than text."""
    label = spell(text)
    assert label is not None
    assert not set(label) & set("<>&\"'`{}$=\\[]|")
    assert label.isascii()
    assert label.isprintable()


@pytest.mark.parametrize("spell", [clean_label, device_label])
def test_the_limit(spell):
    """60 characters, and no more work than that is worth for a header of any length."""
    assert spell("x" * 1_000_000) == "x" * MAX_LABEL_CHARS
    assert MAX_LABEL_CHARS == 60
    assert clean_label("<" * 1_000 + "a") is None  # what follows is not looked at


@pytest.mark.parametrize("text", [None, "", "<>", "  ", "\u00e9\u00e9"])
def test_nothing_left_is_none(text):
    """A label of which nothing is left is none."""
    assert clean_label(text) is None
    assert device_label(text) is None
