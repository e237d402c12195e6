"""Which cookie may still be used: every row of the protocol's table, for both kinds of credential."""

from __future__ import annotations

from typing import Any

import pytest

from cognito_session.core.crypto.access_token import AccessToken, VerifiedToken
from cognito_session.core.crypto.credential import SealedCredential, TokenCredential
from cognito_session.core.protocol.generation import CookieGeneration, Previous, cookie_generation, judge_previous
from cognito_session.core.protocol.record import ANY_JTI, SessionKey, SessionRecord, token_hash

SEEN = 1_700_000_000
SUB = "user-1"


def token(jti: str, *, sid: str = "sid-1", expires_at: int = SEEN + 3600) -> TokenCredential:
    """The credential of a token cookie; that it is authentic is taken for granted here."""
    issued = expires_at - 3600
    return TokenCredential(
        VerifiedToken(
            AccessToken("text", SUB, jti, sid, issued, issued, expires_at, issued, "alice", (), frozenset(), {})
        )
    )  # fmt: skip


def sealed(gen: int, *, sid: str = "sid-1") -> SealedCredential:
    """The credential of a sealed cookie."""
    return SealedCredential(SUB, sid, gen)


def record(**row: Any) -> SessionRecord:
    """A session in its fifth generation, the fourth and third of which still count as previous."""
    complete = {
        "sid": "sid-1",
        "state": "active",
        "token": "rt",
        "token_hash": token_hash("rt"),
        "gen": 5,
        "gen_prev": 3,
        "jti_cur": "j5",
        "jti_prev": frozenset({"j4", "j3"}),
        **row,
    }
    return SessionRecord.from_row(
        SessionKey(SUB, "sid-1"), {name: value for name, value in complete.items() if value is not None}
    )


FOREIGN = {"token": "foreign"}
STANDINGS = [
    ("token: current", token("j5"), {}, CookieGeneration.CURRENT),
    ("token: previous", token("j4"), {}, CookieGeneration.PREVIOUS),
    ("token: previous before that", token("j3"), {}, CookieGeneration.PREVIOUS),
    ("token: older", token("j2"), {}, CookieGeneration.OLDER),
    ("token: older, no previous kept", token("j4"), {"jti_prev": None}, CookieGeneration.OLDER),
    ("token: no jti kept at all", token("j5"), {"jti_prev": None, "jti_cur": None}, CookieGeneration.OLDER),
    ("token: another sign-in", token("x1", sid="sid-2"), {}, CookieGeneration.DISPLACED),
    ("token: jti and sid change places", token("sid-1", sid="j5"), {}, CookieGeneration.DISPLACED),
    ("token: current though its origin changed", token("j5", sid="sid-9"), {}, CookieGeneration.CURRENT),
    ("token: previous though its origin changed", token("j4", sid="sid-9"), {}, CookieGeneration.PREVIOUS),
    ("token: any of the sign-in is previous", token("j1"), {"jti_prev": frozenset({ANY_JTI})}, CookieGeneration.PREVIOUS),
    ("token: current beside any", token("j5"), {"jti_prev": frozenset({ANY_JTI})}, CookieGeneration.CURRENT),
    ("token: any is of one sign-in", token("j1", sid="sid-2"), {"jti_prev": frozenset({ANY_JTI})}, CookieGeneration.DISPLACED),
    ("token: foreign row", token("j1"), FOREIGN, CookieGeneration.FOREIGN),
    ("token: foreign row, current jti", token("j5"), FOREIGN, CookieGeneration.FOREIGN),
    ("token: foreign row, another sign-in", token("x1", sid="sid-2"), FOREIGN, CookieGeneration.FOREIGN),
    ("token: row without sid", token("j5"), {"sid": None}, CookieGeneration.FOREIGN),
    ("sealed: current", sealed(5), {}, CookieGeneration.CURRENT),
    ("sealed: previous", sealed(4), {}, CookieGeneration.PREVIOUS),
    ("sealed: oldest previous", sealed(3), {}, CookieGeneration.PREVIOUS),
    ("sealed: older", sealed(2), {}, CookieGeneration.OLDER),
    ("sealed: much older", sealed(0), {}, CookieGeneration.OLDER),
    ("sealed: no previous kept", sealed(4), {"gen_prev": None}, CookieGeneration.OLDER),
    ("sealed: a generation not reached", sealed(6), {}, CookieGeneration.NOT_REACHED),
    ("sealed: far ahead", sealed(10**9), {}, CookieGeneration.NOT_REACHED),
    ("sealed: another session", sealed(5, sid="sid-2"), {}, CookieGeneration.DISPLACED),
    ("sealed: foreign row", sealed(5), FOREIGN, CookieGeneration.DISPLACED),
    ("sealed: row without sid", sealed(5), {"sid": None}, CookieGeneration.DISPLACED),
    ("sealed: first generation", sealed(0), {"gen": None, "gen_prev": None}, CookieGeneration.CURRENT),
]  # fmt: skip


@pytest.mark.parametrize(("credential", "row", "standing"), [c[1:] for c in STANDINGS], ids=[c[0] for c in STANDINGS])
def test_where_a_credential_stands(credential, row, standing):
    """Each credential has exactly one place in the record's history."""
    assert cookie_generation(credential, record(**row)) is standing


def test_a_star_is_no_jti():
    """A token whose jti is the wildcard itself gains nothing by it outside its own sign-in."""
    assert cookie_generation(token(ANY_JTI, sid="sid-2"), record()) is CookieGeneration.DISPLACED
    assert cookie_generation(token(ANY_JTI), record()) is CookieGeneration.OLDER


EXPIRY = SEEN + 600
JUDGEMENTS = [
    # seconds after the current generation was seen (None: never seen), and the outcome
    ("never seen, at once", None, 0, Previous.HEAL),
    ("never seen, its token expired", None, 10**6, Previous.HEAL),
    ("a clock behind the one that saw", SEEN, -5, Previous.HEAL),
    ("the instant of seeing", SEEN, 0, Previous.HEAL),
    ("one second before the overlap ends", SEEN, 59, Previous.HEAL),
    ("as the overlap ends", SEEN, 60, Previous.HEAL),
    ("one second after the overlap", SEEN, 61, Previous.REJECT),
    ("one second before its token expires", SEEN, 599, Previous.REJECT),
    ("as its token expires", SEEN, 600, Previous.REUSE),
    ("later", SEEN, 601, Previous.REUSE),
    ("much later", SEEN, 10**6, Previous.REUSE),
]


@pytest.mark.parametrize(("seen_at", "after", "outcome"), [j[1:] for j in JUDGEMENTS], ids=[j[0] for j in JUDGEMENTS])
@pytest.mark.parametrize("kind", ["token", "sealed"])
def test_what_a_previous_generation_may_do(kind, seen_at, after, outcome):
    """Heal until a minute after the current one was seen; then reject while its token lives; after that it is reuse."""
    credential = token("j4", expires_at=EXPIRY) if kind == "token" else sealed(4)
    row = record(seen_at=seen_at, prev_exp=EXPIRY if kind == "sealed" else EXPIRY + 999)
    assert judge_previous(credential, row, SEEN + after) is outcome


def test_an_expiry_within_the_overlap_does_not_make_reuse():
    """A parallel request with a token that has just expired is healed all the same."""
    assert judge_previous(token("j4", expires_at=SEEN - 10), record(seen_at=SEEN), SEEN + 60) is Previous.HEAL


def test_a_token_s_own_expiry_counts_not_the_record_s():
    """A token cookie brings its expiry along, verified; the record's belongs to the youngest of the previous ones."""
    credential = token("j3", expires_at=SEEN + 100)
    assert judge_previous(credential, record(seen_at=SEEN, prev_exp=SEEN + 500), SEEN + 200) is Previous.REUSE
    assert judge_previous(credential, record(seen_at=SEEN, prev_exp=SEEN + 50), SEEN + 99) is Previous.REJECT


def test_a_previous_generation_of_unknown_expiry_counts_as_expired():
    """A sealed cookie brings no expiry: where the record has none either, a late use is not excused by it."""
    row = record(seen_at=SEEN, prev_exp=None)
    assert judge_previous(sealed(4), row, SEEN + 60) is Previous.HEAL
    assert judge_previous(sealed(4), row, SEEN + 61) is Previous.REUSE
