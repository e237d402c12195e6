"""Strategies that several targets share: texts that hurt, JSON of any shape, and damage done to what was whole."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

__all__ = ["JSON", "JSON_TEXTS", "TEXTS", "damaged", "deep", "json_bytes", "one_in", "replaced", "spelled"]

HARD = [
    *("", " ", "\t", "\x00", "\n", "\r\n", "\x7f", "\x85", "\u2028", "\ufeff", "\ud800", "\udfff", "\U0001f600", "e\u0301"),
    *('"', "\\", "/", "//", "%2F", "%", "=", ";", ",", "&", "#", ".", "..", "null", "None", "0", "-1", "1e999", "{}", "[]"),
    *("\u212a", "\u0131", "\u2024", "a" * 300, "\u00e9" * 5000, "9" * 5000, "__proto__", "constructor"),
]

TEXTS = st.one_of(st.sampled_from(HARD), st.text(max_size=12), st.text(st.characters(), max_size=6))
"""Short texts, lone surrogates and control characters among them, and a few long ones."""

_NUMBERS = st.one_of(
    st.integers(-2, 3),
    st.integers(),
    st.sampled_from([2**31, 2**53 + 1, 2**63, 2**64, 10**40, -(10**40), 1_700_000_000, 1_700_003_600, 32_503_680_000]),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)


@st.composite
def one_in(draw: st.DrawFn, times: int, rare: st.SearchStrategy[Any], usual: st.SearchStrategy[Any]) -> Any:
    """From `rare` once in so many times: `one_of` would count a strategy that is named twice only once."""
    return draw(usual if draw(st.integers(1, times)) > 1 else rare)


def deep(depth: int) -> Any:
    """A list in a list, so deep."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
"""Whatever JSON can hold."""


def spelled(value: Any) -> str:
    """As JSON text, surrogates escaped."""
    return json.dumps(value, separators=(",", ":"))


@st.composite
def _json_texts(draw: st.DrawFn) -> str:
    """JSON text that a lenient parser takes and a strict one does not, or that no parser takes."""
    text = spelled(draw(JSON))
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return f'{{"a":{text},"a":{text}}}'
    if kind == 1:
        return draw(st.sampled_from(["[", '{"a":', "[[],"])) * draw(st.sampled_from([5, 500, 995, 5000, 100_000]))
    if kind == 2:
        depth = draw(st.sampled_from([5, 100, 400, 900, 980, 2000]))
        return "[" * depth + text + "]" * depth
    if kind == 3:
        return draw(
            st.sampled_from(["NaN", "-Infinity", "1e999", "-0", "01", "9" * 4000, "9" * 5000, "'x'", "\ufeff{}", '"\\ud800"'])
        )
    return damaged_by(draw, text) if kind == 4 else text


JSON_TEXTS: st.SearchStrategy[str] = _json_texts()
"""JSON texts, and what is nearly one: members twice, depth, numbers out of bounds, damage."""


def json_bytes(texts: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """The texts as UTF-8, sometimes broken or in another encoding."""
    return st.one_of(
        texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
        texts.map(lambda text: text.encode("utf-16", "surrogatepass")),
        st.binary(max_size=20),
    )


def damaged_by(draw: st.DrawFn, text: str) -> str:
    """The text after one to three accidents: something cut, doubled, changed, put in or moved."""
    for _ in range(draw(st.integers(1, 3))):
        at, to = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        match draw(st.integers(0, 4)):
            case 0:
                text = text[:at] + text[to:]
            case 1:
                text = text[:at] + text[at:to] * 2 + text[to:]
            case 2:
                text = text[:at] + draw(TEXTS) + text[at:]
            case 3:
                text = text[:at] + draw(st.sampled_from("AQgwZz09-_.=+/ ;\x00\u00e9")) + text[at + 1 :]
            case _:
                text = text[to:] + text[at:to] + text[:at]
    return text


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """One of the texts, damaged."""
    return damaged_by(draw, draw(texts))


@st.composite
def replaced(draw: st.DrawFn, values: st.SearchStrategy[Any], names: st.SearchStrategy[str] = TEXTS) -> Any:
    """A value of JSON in which one to three places hold something else, are gone, or are joined by something new."""
    value = json.loads(spelled(draw(values)))
    for _ in range(draw(st.integers(1, 3))):
        holders = list(_holders(value))
        holder = holders[draw(st.integers(0, len(holders) - 1))]
        places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        kind = draw(st.integers(0, 5))
        if kind == 0 or not places:
            _join(holder, draw(names), draw(JSON))
            continue
        place = places[draw(st.integers(0, len(places) - 1))]
        if kind == 1:
            del holder[place]
        elif kind == 2 and isinstance(holder[place], str):
            holder[place] = damaged_by(draw, holder[place])
        else:
            holder[place] = draw(JSON)
    return value


def _holders(value: Any) -> Any:
    """Every list and object in the value, itself first."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)


def _join(holder: Any, name: str, value: Any) -> None:
    if isinstance(holder, dict):
        holder[name] = value
    else:
        holder.append(value)
