"""The rules of refresh tokens, without a server; time is an argument."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from cognito_session.local.grants import SignInFamily
from cognito_session.testing.rotation import RefreshTokenRefusedError, RotationRules, TokenBook


@pytest.fixture
def book():
    """An empty book whose tokens are numbered."""
    numbers = itertools.count()
    return TokenBook(lambda: f"token-{next(numbers)}")


def issued(book, expires_at=1000.0):
    """A new family and its first token."""
    family = SignInFamily("sign-in", "client", expires_at)
    return family, book.issue(family)


def use(book, text, now=0.0, grace=None, rules=RotationRules()):  # noqa: B008 - frozen
    """Use a token; the new one."""
    return book.use(text, now=now, grace_seconds=grace, rules=rules).refresh_token


def refusal(book, text, now=0.0, grace=None, rules=RotationRules()):  # noqa: B008 - frozen
    """Use a token that is refused; the reason."""
    with pytest.raises(RefreshTokenRefusedError) as refused:
        book.use(text, now=now, grace_seconds=grace, rules=rules)
    return refused.value.reason


def test_without_rotation_a_token_serves_again_and_again(book):
    """Without rotation a token never ends by use, and no new one is created."""
    _, first = issued(book)
    assert [use(book, first, now) for now in (0, 10, 999)] == [None, None, None]


def test_a_token_dies_at_the_end_of_its_life(book):
    """At `expires_at` a token is expired, one instant before it is not."""
    _, first = issued(book, expires_at=100)
    use(book, first, now=99.9)
    assert refusal(book, first, now=100) == "expired"


def test_a_new_token_lives_for_the_rest_of_the_first_ones_life(book):
    """Rotation does not make a sign-in last longer."""
    _, first = issued(book, expires_at=100)
    second = use(book, first, now=90, grace=60)
    assert refusal(book, second, now=100, grace=60) == "expired"


def test_with_no_grace_the_first_use_is_the_last(book):
    """Grace 0: a successful use invalidates the token at once, even within the same instant."""
    _, first = issued(book)
    use(book, first, grace=0)
    assert refusal(book, first, grace=0) == "reused"


def test_the_grace_runs_from_the_first_use(book):
    """A second use within the grace does not prolong it."""
    _, first = issued(book)
    use(book, first, now=0, grace=10)
    use(book, first, now=9.9, grace=10)
    assert refusal(book, first, now=10, grace=10) == "reused"


def test_semantics_a_gives_siblings_that_all_live(book):
    """A: each use within the grace period creates another token, and all of them work."""
    _, first = issued(book)
    children = [use(book, first, now, grace=10) for now in (0, 1, 2)]
    assert len(set(children)) == 3
    assert all(use(book, child, 3, grace=10) for child in children)


def test_semantics_b_lets_only_the_newest_child_live(book):
    """B: the newest child supersedes its siblings and their descendants."""
    rules = RotationRules(semantics="B")
    _, first = issued(book)
    elder = use(book, first, 0, 10, rules)
    grandchild = use(book, elder, 1, 10, rules)
    younger = use(book, first, 2, 10, rules)
    assert refusal(book, elder, 3, 10, rules) == "reused"
    assert refusal(book, grandchild, 3, 10, rules) == "reused"
    assert use(book, younger, 3, 10, rules)


def test_semantics_c_gives_the_same_child_again(book):
    """C: every use within the grace period returns the token that the first use created."""
    rules = RotationRules(semantics="C")
    _, first = issued(book)
    assert len({use(book, first, now, 10, rules) for now in (0, 1, 9)}) == 1


def test_reuse_spares_the_family_by_default(book):
    """A reuse is refused, and the newest token still works."""
    _, first = issued(book)
    second = use(book, first, grace=0)
    assert refusal(book, first, grace=0) == "reused"
    assert use(book, second, grace=0)


def test_reuse_kills_the_family_when_told_to(book):
    """With reuse_kills_family a reuse revokes every token of the sign-in."""
    rules = RotationRules(reuse_kills_family=True)
    _, first = issued(book)
    second = use(book, first, 0, 0, rules)
    assert refusal(book, first, 0, 0, rules) == "reused"
    assert refusal(book, second, 0, 0, rules) == "revoked"


@pytest.mark.parametrize(("scope", "survives"), [("token", True), ("family", False)])
def test_revocation_takes_the_token_or_the_family(book, scope, survives):
    """Revoking the first token ends the second one exactly when the scope is the family."""
    rules = RotationRules(revoke_scope=scope)
    _, first = issued(book)
    second = use(book, first, 0, 10, rules)
    book.revoke(first, rules)
    assert refusal(book, first, 1, 10, rules) == "revoked"
    if survives:
        assert use(book, second, 1, 10, rules)
    else:
        assert refusal(book, second, 1, 10, rules) == "revoked"


def test_other_sign_ins_are_left_alone(book):
    """Changes to one family never affect another."""
    rules = RotationRules(reuse_kills_family=True)
    _, mine = issued(book)
    _, other = issued(book)
    use(book, mine, 0, 0, rules)
    refusal(book, mine, 0, 0, rules)
    assert use(book, other, 0, 0, rules)


def test_a_token_that_was_never_given_out_is_unknown(book):
    """Garbage is unknown to use, and to revoke and find it is no error."""
    assert refusal(book, "garbage") == "unknown"
    assert book.revoke("garbage", RotationRules()) is None
    assert book.find("garbage") is None


def test_of_many_threads_exactly_one_wins(book):
    """Grace 0: of 32 threads that use one token, one gets the new one."""
    _, first = issued(book)

    def spend(_):
        try:
            return use(book, first, grace=0)
        except RefreshTokenRefusedError:
            return None

    with ThreadPoolExecutor(32) as pool:
        won = [text for text in pool.map(spend, range(32)) if text]
    assert len(won) == 1


def test_a_token_never_shows_in_a_repr(book):
    """Families and uses print without their secrets."""
    family, first = issued(book)
    shown = repr(family) + repr(book.use(first, now=0, grace_seconds=10, rules=RotationRules()))
    assert "sign-in" not in shown
    assert "token-" not in shown


@pytest.mark.parametrize("wrong", [{"semantics": "D"}, {"revoke_scope": "user"}])
def test_rules_that_do_not_exist_are_refused(wrong):
    """A misspelt rule is an error, not a silent default."""
    with pytest.raises(ValueError):
        RotationRules(**wrong)
