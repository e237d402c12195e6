"""Details of signing in: what a repr hides, what a limit accepts, which default applies."""

from __future__ import annotations

import inspect
import re
import time

import pytest

from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.signin.challenge import Challenge
from cognito_session.signin.device_proof import srp_timestamp
from cognito_session.signin.entry import Entry
from cognito_session.signin.flows import PasswordFlows
from cognito_session.signin.flows_async import AsyncPasswordFlows
from cognito_session.signin.limits import code_of, is_attributes
from cognito_session.signin.managed_login import AsyncManagedLogin, ManagedLogin
from cognito_session.signin.outcome import ChallengeRequired, PasskeyOptions, Prompt, Refusal, Refused, TotpSecret
from cognito_session.signin.transaction import Transaction, keep_transaction, newest_transaction
from cognito_session.signin.verdict import refused_sign_up
from signin.flow_driver import NAME, FlowDriver, a_context
from support.sealing_keys import ring


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Refused(Refusal.WRONG_CODE, ("canary",)), "Refused(reason=<Refusal.WRONG_CODE: 'wrong_code'>, set_cookies=...)"),
        (ChallengeRequired("SMS_MFA", Prompt(), ("canary",)), None),
        (Prompt(secret="canary"), None),
        (Prompt(otpauth_uri="canary"), None),
        (Prompt(credential_request="canary"), None),
        (TotpSecret("canary", "otpauth://canary"), "TotpSecret(secret=..., otpauth_uri=...)"),
        (PasskeyOptions("canary"), "PasskeyOptions(credential_creation=...)"),
        (Challenge("SMS_MFA", "SMS_MFA", "alice", "alice", "canary", 1), None),
        (Transaction("canary", "canary", "canary", "/", 1, Entry(login_hint="canary")), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_repr_shows_no_secret(value, shown):
    """Cookies, seeds of authenticator apps, passkey requests, Sessions and verifiers show as "..." in every repr."""
    assert "canary" not in repr(value)
    assert repr(value).startswith(f"{type(value).__name__}(")
    assert shown in (None, repr(value))


def test_flows_are_shown_under_their_own_name():
    """The repr of the flows names their class and the manager that they belong to."""

    class Engine:
        base_url = None

        def __repr__(self):
            return "Manager"

    for each in (PasswordFlows, AsyncPasswordFlows):
        assert repr(each(Engine(), "Shop")) == f"{each.__name__}(Manager)"


def test_a_code_with_as_many_spaces_as_people_copy_along():
    """A code of 32 characters, spaces included, is accepted; one of 33 is refused."""
    longest = "123456" + " " * 26
    assert code_of(longest).reveal() == "123456"
    assert code_of(longest + " ") is None


def test_the_name_of_an_attribute_has_at_most_32_characters():
    """Cognito's own limit (API_AttributeType): a name of 32 characters is sent, one of 33 is refused."""
    assert is_attributes({"custom:" + "a" * 25: "x"})
    assert not is_attributes({"custom:" + "a" * 26: "x"})


@pytest.mark.parametrize("prompt", ["login  consent", "login\tconsent", " login", "login "])
def test_prompts_are_separated_by_one_space(prompt):
    """Any other separator is a ConfigurationError (OpenID Connect Core 3.1.2.1)."""
    with pytest.raises(ConfigurationError, match=r"^prompt: "):
        Entry(prompt=prompt).checked()


def test_a_sign_up_that_a_trigger_denies_is_refused():
    """NotAuthorizedException of SignUp does not mean wrong credentials: Cognito checked none."""
    assert refused_sign_up(PoolRefusal("NotAuthorizedException")) == Refused(Refusal.REFUSED)


@pytest.mark.parametrize("login", [ManagedLogin, AsyncManagedLogin])
def test_a_sign_out_ends_this_session_unless_it_is_told_otherwise(login):
    """The default of `where` is "here": a sign-out leaves the sessions of other devices alone."""
    assert inspect.signature(login.sign_out).parameters["where"].default == "here"


def test_a_proof_is_timed_in_utc_wherever_the_machine_is(monkeypatch):
    """TIMESTAMP is in UTC, whatever the time zone of the machine."""
    monkeypatch.setenv("TZ", "XYZ-7")
    time.tzset()
    try:
        assert srp_timestamp(1_700_000_000) == "Tue Nov 14 22:13:20 UTC 2023"
    finally:
        monkeypatch.undo()
        time.tzset()


# --- transactions


def kept(driver, context, transaction, *headers):
    """The cookie that keeps this transaction, and the names of the cookies that are deleted."""
    first, *others = driver.run(keep_transaction(context, transaction, headers))
    gone = [line.partition("=")[0] for line in others]
    return first.partition(";")[0], gone


def test_the_state_of_a_first_attempt_has_no_mark():
    """A state with a mark belongs to a restart, which is not restarted again."""
    assert re.fullmatch(r"[0-9a-f]{32}", Transaction.begun(a_context(), "/").state)


def test_transactions_that_fill_the_limit_exactly_are_kept(monkeypatch):
    """Transactions that fill the limit exactly are kept; one character more drops the older one."""
    from cognito_session.signin import transaction as module

    driver, context = FlowDriver(), a_context()
    older = Transaction.begun(context, "/orders")
    pair, _ = kept(driver, context, older)
    newer = Transaction.begun(context, "/orders")
    both = module._chars(context, older) + module._chars(context, newer)
    for room, dropped in ((both, 0), (both - 1, 1)):
        monkeypatch.setattr(module, "_MAX_KEPT_CHARS", room)
        assert len(kept(driver, context, newer, pair)[1]) == dropped


def test_the_estimated_size_of_a_transaction_is_about_that_of_its_cookie():
    """The estimate is at least the size of the cookie and at most a tenth and 64 characters more."""
    from cognito_session.signin import transaction as module

    driver, context = FlowDriver(), a_context()
    for length in (1, 500, 2_000):
        flow = Transaction.begun(context, "/" + "a" * length)
        size = len(kept(driver, context, flow)[0])
        assert size <= module._chars(context, flow) <= size * 1.1 + 64


def test_a_transaction_of_a_newer_key_blocks_no_other():
    """A cookie whose key this worker does not have yet is skipped when another sign-in begins or the newest is looked up."""
    context = a_context()
    pair, _ = kept(FlowDriver(keys=ring(2, 1)), context, Transaction.begun(context, "/"))
    behind = FlowDriver(keys=ring(1))
    assert behind.run(newest_transaction(context, [pair])) is None
    assert len(kept(behind, context, Transaction.begun(context, "/"), pair)[1]) == 1


def test_the_longest_cookie_header_is_read():
    """A Cookie header of 65,536 characters is read; a longer one is ignored."""
    driver, context = FlowDriver(), a_context()
    pair, _ = kept(driver, context, Transaction.begun(context, "/"))
    fits = pair + "; x=" + "y" * (65_536 - len(pair) - 4)
    assert driver.run(newest_transaction(context, [fits])) is not None
    assert driver.run(newest_transaction(context, [fits + "y"])) is None
    assert NAME in pair
