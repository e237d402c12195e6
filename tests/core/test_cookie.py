"""Cookie headers as browsers, proxies and attackers write them, and the lines we write ourselves."""

from __future__ import annotations

import sys
from string import ascii_letters, digits
from timeit import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cognito_session.core.cookie import MAX_CANDIDATES, MAX_EXAMINED, MAX_HEADER_CHARS, Candidates, Cookie
from cognito_session.core.errors import ConfigurationError

NAME = "__Host-s"
COOKIE = Cookie(NAME)
NOTHING = Candidates((), malformed=False)
RUBBISH = Candidates((), malformed=True)
EVERY = [chr(number) for number in range(0x10000)]


def good(*values: str, malformed: bool = False) -> Candidates:
    """What is found where these values are."""
    return Candidates(values, malformed)


# name of the case, header, what must be found under __Host-s
CORPUS = [
    ("alone", "__Host-s=good", good("good")),
    ("every allowed character", "__Host-s=" + ascii_letters + digits + "._~-", good(ascii_letters + digits + "._~-")),
    ("first of three", "__Host-s=good; a=1; b=2", good("good")),
    ("last of three", "a=1; b=2; __Host-s=good", good("good")),
    ("no blank after the semicolon", "a=1;__Host-s=good;b=2", good("good")),
    ("tabs and blanks around the pair", "a=1;\t __Host-s=good \t; b=2", good("good")),
    ("blank before the value", "__Host-s= good", good("good")),
    ("trailing semicolon", "__Host-s=good;", good("good")),
    ("empty parts", ";;; ; __Host-s=good;;;", good("good")),
    ("absent", "a=1; b=2", NOTHING),
    ("empty header", "", NOTHING),
    # another name that contains ours
    ("prefixed name", "x__Host-s=EVIL; __Host-s=good", good("good")),
    ("prefixed name alone", "x__Host-s=EVIL", NOTHING),
    ("suffixed name", "__Host-sx=EVIL; __Host-s=good", good("good")),
    ("dotted suffix", "__Host-s.sig=EVIL", NOTHING),
    ("name inside another value", "x=__Host-s=EVIL", NOTHING),
    ("name inside another value after a blank", "x=1 __Host-s=EVIL", NOTHING),
    ("upper case", "__HOST-S=EVIL", NOTHING),
    ("lower case", "__host-s=EVIL; __Host-s=good", good("good")),
    # a browser lets a subdomain set these: none of them is the protected name
    ("blank before the equals sign", "__Host-s =EVIL", NOTHING),
    ("blank before the equals sign, then ours", "__Host-s =EVIL; __Host-s=good", good("good")),
    ("tab before the equals sign", "__Host-s\t=EVIL", NOTHING),
    ("nameless cookie", "=__Host-s=EVIL", NOTHING),
    ("nameless cookie beside ours", "=__Host-s=EVIL; __Host-s=good", good("good")),
    ("en quad before the name", "\u2000__Host-s=EVIL; __Host-s=good", good("good")),
    ("no-break space before the name", "\u00a0__Host-s=EVIL; __Host-s=good", good("good")),
    ("byte order mark before the name", "\ufeff__Host-s=EVIL; __Host-s=good", good("good")),
    ("ideographic space before the name", "\u3000__Host-s=EVIL", NOTHING),
    ("UTF-8 no-break space read as Latin-1", "\u00c2\u00a0__Host-s=EVIL", NOTHING),
    ("no-break space after the name", "__Host-s\u00a0=EVIL", NOTHING),
    ("vertical tab before the name", "\x0b__Host-s=EVIL", NOTHING),
    ("form feed before the name", "\x0c__Host-s=EVIL", NOTHING),
    ("file separator before the name", "\x1c__Host-s=EVIL", NOTHING),
    ("next line before the name", "\x85__Host-s=EVIL", NOTHING),
    ("line feed before the name", "a=1\n__Host-s=EVIL", NOTHING),
    ("line feed at the start", "\n__Host-s=EVIL", NOTHING),
    ("carriage return before the name", "a=1;\r\n __Host-s=EVIL", NOTHING),
    ("NUL before the name", "\x00__Host-s=EVIL", NOTHING),
    ("NUL within the name", "__Host-\x00s=EVIL", NOTHING),
    ("zero width space within the name", "__Host-\u200bs=EVIL", NOTHING),
    ("look-alike letter", "__H\u043est-s=EVIL", NOTHING),
    ("long s", "__Ho\u017ft-s=EVIL", NOTHING),
    ("bracket for underscore", "_[Host-s=EVIL", NOTHING),
    ("dot for underscore", "..Host-s=EVIL", NOTHING),
    ("percent-encoded name", "__%48ost-s=EVIL", NOTHING),
    ("percent-encoded hyphen", "__Host%2Ds=EVIL; __Host-s=good", good("good")),
    ("plus for blank", "+__Host-s=EVIL", NOTHING),
    ("quoted name", '"__Host-s"=EVIL', NOTHING),
    # commas separate nothing, quotes protect nothing, $ means nothing
    ("comma for semicolon", "a=1, __Host-s=EVIL", NOTHING),
    ("comma in our value", "__Host-s=good, b=2", RUBBISH),
    ("quoted value", '__Host-s="good"', RUBBISH),
    ("quote left open before ours", 'a="1; __Host-s=good; b=2"', good("good")),
    ("quote around ours and others", 'a="x; __Host-s=good"; b="', RUBBISH),
    ("backslash escape", '__Host-s="go\\157d"', RUBBISH),
    ("$Version first", "$Version=1; __Host-s=good", good("good")),
    ("$Version with $Path and $Domain", '$Version="1"; __Host-s=good; $Path="/"; $Domain=evil', good("good")),
    ("$Version with a quoted sandwich", '$Version=1; a="b; __Host-s=good; c="; __Host-s="EVIL"', good("good", malformed=True)),
    ("JSON neighbour before", 'x={"a":1}; __Host-s=good', good("good")),
    ("JSON neighbour after", '__Host-s=good; x={"a":1,"b":[2]}', good("good")),
    ("nested JSON neighbour", 'prefs={"__Host-s":"EVIL","a;b":1}; __Host-s=good', good("good")),
    ("attributes as cookies", "__Host-s=good; expires=0; path=/evil; domain=evil; secure; httponly", good("good")),
    ("attributes first", "Path=/; Max-Age=0; HttpOnly; __Host-s=good", good("good")),
    # no value, or none of ours
    ("no equals sign", "__Host-s", NOTHING),
    ("no equals sign between others", "a=1; __Host-s; b=2", NOTHING),
    ("no equals sign, then ours", "__Host-s; __Host-s=good", good("good")),
    ("flags as neighbours", "a; b; c; __Host-s=good; d", good("good")),
    ("empty value", "__Host-s=", RUBBISH),
    ("blank value", "__Host-s= \t ", RUBBISH),
    ("empty value, then ours", "__Host-s=; __Host-s=good", good("good", malformed=True)),
    ("second equals sign", "__Host-s=go=od", RUBBISH),
    ("padding", "__Host-s=good==", RUBBISH),
    ("standard base64", "__Host-s=go+o/d", RUBBISH),
    ("percent-encoded value", "__Host-s=%67ood", RUBBISH),
    ("blank within", "__Host-s=go od", RUBBISH),
    ("NUL within", "__Host-s=go\x00od", RUBBISH),
    ("NUL after", "__Host-s=good\x00", RUBBISH),
    ("line feed after", "__Host-s=good\n", RUBBISH),
    ("carriage return and line feed within", "__Host-s=good\r\nSet-Cookie: x", RUBBISH),
    ("delete character", "__Host-s=good\x7f", RUBBISH),
    ("8-bit character", "__Host-s=go\u00f6d", RUBBISH),
    ("no-break space after the value", "__Host-s=good\u00a0", RUBBISH),
    ("fullwidth letters", "__Host-s=\uff47\uff4f\uff4f\uff44", RUBBISH),
    ("Arabic-Indic digit", "__Host-s=\u0661", RUBBISH),
    ("lone surrogate", "__Host-s=\ud800", RUBBISH),
    ("4096 characters", "__Host-s=" + "a" * 4096, good("a" * 4096)),
    ("4097 characters", "__Host-s=" + "a" * 4097, RUBBISH),
    # several of the name
    ("two", "__Host-s=one; __Host-s=two", good("one", "two")),
    ("the same twice", "__Host-s=one; __Host-s=one", good("one")),
    ("one well-formed, one not", '__Host-s="; __Host-s=good', good("good", malformed=True)),
    ("five", "; ".join(f"__Host-s=v{n}" for n in range(5)), good("v0", "v1", "v2", "v3")),
    ("four and repetitions", "; ".join(f"__Host-s=v{n % 4}" for n in range(9)), good("v0", "v1", "v2", "v3")),
]


@pytest.mark.parametrize(("header", "expected"), [case[1:] for case in CORPUS], ids=[case[0] for case in CORPUS])
def test_only_the_exact_name_and_a_plain_value_are_taken(header, expected):
    """Of each header of the corpus exactly the expected values are candidates."""
    assert COOKIE.candidates(header) == expected


def test_no_character_before_the_name_is_trimmed_but_space_and_tab():
    """Any character glued to the front of our name makes another name, unless it is a blank, a tab or the separator."""
    taken = {character for character in EVERY if COOKIE.candidates(f"{character}__Host-s=EVIL").values}
    assert taken == {" ", "\t", ";"}


def test_no_character_after_the_name_is_trimmed():
    """Any character between our name and "=" makes another name; a blank is no exception."""
    taken = {character for character in EVERY if COOKIE.candidates(f"__Host-s{character}=EVIL").values}
    assert taken == set()


def test_the_alphabet_of_values_is_the_one_of_our_tokens():
    """A value holds the 66 unreserved characters and no other one of all 65,536."""
    taken = {character for character in EVERY if f"a{character}b" in COOKIE.candidates(f"__Host-s=a{character}b").values}
    assert taken == set(ascii_letters + digits + "._~-")


def test_names_are_no_patterns():
    """A name full of characters that mean something in a regular expression matches only itself."""
    cookie = Cookie("a.b*c|d^$+")
    assert cookie.candidates("axbbc=EVIL; d^$+=EVIL; a.b*c|d^$+=good").values == ("good",)


def test_substring_of_the_token_cookie_loses():
    """A cookie whose name merely ends in ours, sent first, is not taken for ours."""
    assert Cookie("token").candidates("xtoken=EVIL; token=good").values == ("good",)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, NOTHING),
        ([], NOTHING),
        (("__Host-s=one", "__Host-s=two"), good("one", "two")),
        (["a=1", "__Host-s=one; b=2", "__Host-s=one"], good("one")),
        (["__Host-s=v0; __Host-s=v1", "__Host-s=v2; __Host-s=v3; __Host-s=v4"], good("v0", "v1", "v2", "v3")),
        (["__Host-s=v0; __Host-s=v1; __Host-s=v2; __Host-s=v3", "__Host-s=v4"], good("v0", "v1", "v2", "v3")),
        ([None, 7, b"__Host-s=EVIL", ["__Host-s=EVIL"], {"__Host-s": "EVIL"}, "__Host-s=good"], good("good")),
        (["__Host-", "s=EVIL"], NOTHING),
        (['__Host-s="', "__Host-s=good"], good("good", malformed=True)),
    ],
    ids=[
        "none",
        "no header",
        "split over two",
        "the same in two",
        "five over two",
        "four, then more",
        "entries that are no text",
        "parts are not joined",
        "malformed in one",
    ],
)
def test_several_headers_are_read_one_by_one(headers, expected):
    """Every text in a list of headers counts, in order, each as a header of its own; anything else is passed over."""
    assert COOKIE.candidates(headers) == expected


@pytest.mark.parametrize("count", [400, 3000])
def test_many_neighbours_hide_nothing(count):
    """Our cookie is found behind any number of others."""
    neighbours = "; ".join(f"c{n}={n}" for n in range(count))
    assert COOKIE.candidates(f"{neighbours}; __Host-s=good; z=1") == good("good")


@pytest.mark.parametrize("count", [5, 400, 3000])
def test_at_most_four_candidates_are_handed_on(count):
    """However many different values a header brings, four are tried: each costs a signature check."""
    header = ";".join(f"__Host-s={n}" for n in range(count))
    assert COOKIE.candidates(header).values == ("0", "1", "2", "3")
    assert MAX_CANDIDATES == 4


def test_rubbish_of_the_name_is_looked_at_for_a_while_only():
    """The last value within the bound is found, the one after it is not: rubbish costs no more than cookies would."""
    rubbish = "__Host-s=!;"
    assert COOKIE.candidates(rubbish * (MAX_EXAMINED - 1) + "__Host-s=good") == good("good", malformed=True)
    assert COOKIE.candidates(rubbish * MAX_EXAMINED + "__Host-s=late") == RUBBISH


@pytest.mark.parametrize(("length", "expected"), [(MAX_HEADER_CHARS, good("good")), (MAX_HEADER_CHARS + 1, RUBBISH)])
def test_a_header_over_64_kb_is_not_read(length, expected):
    """64 kB are read; one character more and the header counts as malformed, whatever it holds."""
    header = "__Host-s=good; a=".ljust(length, "x")
    assert COOKIE.candidates(header) == expected


def test_an_oversize_header_does_not_hide_its_neighbour():
    """An unreadable header beside a readable one costs only itself."""
    assert COOKIE.candidates(["__Host-s=" + "x" * MAX_HEADER_CHARS, "__Host-s=good"]) == good("good", malformed=True)


def test_an_oversize_header_of_others_is_nobody_s_malformed_cookie():
    """A huge header without our name says nothing about our cookie."""
    assert COOKIE.candidates("a=" + "x" * MAX_HEADER_CHARS) == NOTHING


WORST = {
    # beginning, what is repeated up to the size, end
    "backslashes": ('__Host-s="', "\\", ""),
    "octal escapes": ('__Host-s="', "\\012", ""),
    "semicolons": ("__Host-s", ";", ""),
    "blanks": ("__Host-s", " ", ""),
    "blanks after semicolons": ("__Host-s", "; ", ""),
    "one run of blanks after a semicolon": ("__Host-s;", " ", ""),
    "tabs and blanks": ("__Host-s;", "\t ", ""),
    "equals signs": ("__Host-s", "=", ""),
    "the name without a value": ("", "__Host-s;", ""),
    "the name, blanks, no value": ("", "__Host-s        ", ""),
    "the name with rubbish": ("", "__Host-s=!;", ""),
    "the name with the same value": ("", "__Host-s=a;", ""),
    "almost the name": ("", "__Host-", "__Host-s"),
    "quotes": ('__Host-s="', '"', ""),
    "one endless value": ("__Host-s=", "a", ""),
    "a value of blanks": ("__Host-s=a", " ", ""),
}


def worst(name: str, size: int) -> str:
    """The header of WORST in that size."""
    beginning, repeated, end = WORST[name]
    return (beginning + repeated * size)[: size - len(end)] + end


class CallCounter:
    """Counts calls of Python and C functions while it is the profiler."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: object, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            self.count += 1


def calls_for(header: str) -> int:
    """How many calls reading the header takes."""
    counter, before = CallCounter(), sys.getprofile()
    COOKIE.candidates("__Host-s=warm")
    sys.setprofile(counter)
    try:
        COOKIE.candidates(header)
    finally:
        sys.setprofile(before)
    return counter.count


@pytest.mark.parametrize("name", WORST)
def test_64_kb_of_anything_take_a_bounded_number_of_calls(name):
    """The worst headers of 64 kB cost no more calls than the values looked at allow: no loop of ours runs per character."""
    assert calls_for(worst(name, MAX_HEADER_CHARS)) < 20 + 6 * MAX_EXAMINED


@pytest.mark.parametrize("name", WORST)
def test_the_cost_of_a_header_grows_with_its_length(name):
    """Sixteen times the header costs about sixteen times as much: a scan that backtracks would take 256 times."""

    def cost(header: str, number: int) -> float:
        return min(repeat(lambda: COOKIE.candidates(header), number=number, repeat=3)) / number

    assert cost(worst(name, MAX_HEADER_CHARS), 1) < 80 * cost(worst(name, MAX_HEADER_CHARS // 16), 8)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(["__Host-s", "=", ";", " ", "\t", '"', "good", "x", ",", "\u2000", "\x00", "\\", "$Version", "{}"]),
            max_size=40,
        ).map("".join),
        st.lists(st.one_of(st.text(max_size=60), st.none(), st.binary(max_size=9)), max_size=4),
    )
)
def test_whatever_the_header_the_answer_is_plain(headers):
    """No header text raises, and whatever is found consists of at most four distinct values of the allowed alphabet."""
    values, malformed = COOKIE.candidates(headers)
    assert len(values) == len(set(values)) <= MAX_CANDIDATES
    assert all(value and set(value) <= set(ascii_letters + digits + "._~-") for value in values)
    assert isinstance(malformed, bool)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters=";"), max_size=60), st.text(alphabet='=,"\\ \tax{}$', max_size=60))
def test_neighbours_neither_hide_nor_forge(before, after):
    """Between any two neighbours that are not named like ours, ours is found as it is."""
    expected = good("good")
    named = [part for part in (before, after) if part.lstrip(" \t").startswith("__Host-s=")]
    if not named:
        assert COOKIE.candidates(f"{before}; __Host-s=good; {after}") == expected


def test_repr_shows_no_value():
    """Candidates in a log tell how many there are and nothing else."""
    found = COOKIE.candidates("__Host-s=verysecret")
    assert "verysecret" not in f"{found!r} {found!s}"
    assert "1 hidden" in repr(found)


# --- what we write


def test_set_line_golden():
    """The line that stores a value, letter by letter: host-only, HttpOnly, Secure, Lax, whole site."""
    assert COOKIE.set_line("v.1", max_age_seconds=3600) == (
        "__Host-s=v.1; Max-Age=3600; Path=/; HttpOnly; Secure; SameSite=Lax"
    )


def test_delete_line_golden():
    """The line that removes the cookie, letter by letter."""
    assert COOKIE.delete_line() == "__Host-s=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"


def test_a_cookie_is_deleted_with_the_attributes_it_was_set_with():
    """A cookie whose Path or Domain differs is another cookie, so deletion must differ in value and Max-Age alone."""
    kept = [COOKIE.set_line("v", max_age_seconds=9).split("; ")[2:], COOKIE.delete_line().split("; ")[2:]]
    assert kept[0] == kept[1]
    assert not any(part.lower().startswith("domain") for part in kept[0])


@pytest.mark.parametrize(("asked", "written"), [(-5, 0), (0, 0), (1, 1), (604_800, 604_800)])
def test_max_age_is_never_negative(asked, written):
    """A session whose end has passed gets Max-Age=0, and every other span as it is."""
    assert f"; Max-Age={written};" in COOKIE.set_line("v", max_age_seconds=asked)


@pytest.mark.parametrize("size", [4095, 4096])
def test_a_cookie_that_browsers_keep_is_written(size):
    """Name and value of up to 4096 bytes together fit."""
    value = "a" * (size - len(NAME))
    assert COOKIE.set_line(value, max_age_seconds=1).startswith(f"{NAME}={value};")


def test_a_cookie_that_browsers_drop_is_refused_loudly():
    """4097 bytes are a ConfigurationError that names the size, the limit and the way out, and not the value."""
    value = "a" * (4097 - len(NAME))
    with pytest.raises(ConfigurationError, match=r"4097 bytes.*4096.*sealed cookie") as caught:
        COOKIE.set_line(value, max_age_seconds=1)
    assert "aaa" not in str(caught.value)


@pytest.mark.parametrize("name", ["token", "__Host-session", "__Secure-x", "a", "!#$%&'*+-.^_`|~", "a" * 256])
def test_every_token_is_a_cookie_name(name):
    """A name of RFC 9110's token characters is taken, and what is written under it is read back."""
    cookie = Cookie(name)
    assert cookie.candidates(cookie.set_line("v", max_age_seconds=1)) == good("v")


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a=b", "a;b", "a,b", '"a"', "a\t", "\na", "a\n", "a\r\nSet-Cookie: x", "a\x00", "\u00e9", "a(b)", "a/b",
     "[a]", "{a}", "a@b", "a:b", "a\\b", "a<b>", "a?b", "a" * 257],
)  # fmt: skip
def test_any_other_name_is_a_configuration_error(name):
    """A name that is not a token is refused when the cookie is made: it could not be read back, or would inject."""
    with pytest.raises(ConfigurationError, match="cookie_name"):
        Cookie(name)
