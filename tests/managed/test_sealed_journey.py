"""Sealed cookies: the journey, what is refused unseen, and keys that change while sessions live."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from aws.echo_server import EchoServer
from cognito_session import (
    Active,
    ConfigurationError,
    Refreshed,
    Rejected,
    SessionPolicy,
    SessionRequired,
    SessionUnavailable,
)
from managed.scene import NAME, Reports, by_hand, ring, rows, sealed, session_rows, value_of
from support.stack import PASSWORD, cookie_of, done, in_thread, joined, make_app, make_pool
from support.tokens import flipped

GET_TOKENS, REVOKE = "GetTokensFromRefreshToken", "RevokeToken"
READ, WRITE, REFRESH = "GetItem", "UpdateItem", "GetTokensFromRefreshToken"
WORKERS = 20
ARN = "arn:aws:secretsmanager:us-east-1:111111111111:secret:keys"


def begun(app, manager, user=None):
    """A new session's cookie, the log cleared."""
    cookie = cookie_of(manager.establish(app.sign_in(user or app.user())))
    app.stack.clear_calls()
    return cookie


# --- the journey


def test_the_journey(rotating):
    """Signed in, served, refreshed once for 20 threads with the cookie changing, healed, signed out."""
    app, stack = rotating, rotating.stack
    manager, user = sealed(app), app.user()
    me = manager.establish(app.sign_in(user))
    (line,) = me.set_cookies
    assert line.startswith(f"{NAME}=v1.1.")
    assert line.endswith("; Path=/; HttpOnly; Secure; SameSite=Lax")
    assert not any(part in line for part in (me.access_token, user.sub, me.sid))
    first = cookie_of(me)
    stack.clear_calls()

    served = manager.resolve(first)
    assert type(served) is Active
    assert (served.session.sub, served.session.sid, served.session.set_cookies) == (user.sub, me.sid, ())
    assert done(stack, keys=True) == [READ, WRITE]

    app.expire()
    stack.clear_calls()
    found = joined([in_thread(manager.resolve, first) for _ in range(WORKERS)])
    assert Counter(map(type, found)) == {Refreshed: 1, Active: WORKERS - 1}
    assert len({outcome.session.access_token for outcome in found}) == 1
    new = {cookie_of(outcome.session) for outcome in found}
    assert first not in new
    spent = Counter(done(stack))
    assert (spent.pop(GET_TOKENS), spent.pop(WRITE), set(spent)) == (1, 2, {READ})

    healed = manager.resolve(first)
    assert type(healed) is Active
    second = cookie_of(healed.session)
    assert second != first
    assert manager.resolve(second).session.set_cookies == ()
    assert {type(manager.resolve(cookie)) for cookie in new} == {Active}

    (deletion,) = manager.sign_out(second)
    assert deletion == f"{NAME}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"
    for cookie in (first, second, *new):
        assert manager.resolve(cookie) == Rejected("session_ended")


def test_a_replayed_sign_in_brings_nothing_back(rotating):
    """The same tokens once more: the same session while it lives, none after the sign-out."""
    manager, tokens = sealed(rotating), rotating.sign_in(rotating.user())
    first = manager.establish(tokens)
    assert manager.establish(tokens).sid == first.sid
    manager.sign_out(first.set_cookies[0].partition(";")[0])
    with pytest.raises(SessionRequired) as caught:
        manager.establish(tokens)
    assert caught.value.reason == "session_ended"


def test_a_cold_worker_fetches_no_key_set(app):
    """A sealed cookie's whole way needs no signature: a worker that has never seen a token serves it after one read."""
    cookie = begun(app, sealed(app))
    sealed(app).resolve(cookie)
    app.stack.clear_calls()
    assert isinstance(sealed(app).resolve(cookie), Active)
    assert done(app.stack, keys=True) == [READ]


def test_keys_must_be_there(alone):
    """Without keys the sealed cookie is a configuration error that names SESSION_KEYS and the command that makes one."""
    with pytest.raises(ConfigurationError, match=r"SESSION_KEYS.*cognito-session keys new"):
        alone.manager(cookie="sealed", cookie_name=None)
    with pytest.raises(ConfigurationError, match="SESSION_KEYS: entry 2"):
        sealed(alone, keys=ring(2) + "," + ring(2))


# --- refused unseen


@pytest.fixture
def forged(alone):
    """A value for each thing that may be wrong with a cookie, made from one that is served."""
    user, stack = alone.user(), alone.stack
    manager = sealed(alone, keys=ring(2))
    me = manager.establish(alone.sign_in(user))
    good = value_of(cookie_of(me))
    other_client = make_app(stack, access_token_seconds=900)
    other_pool = make_app(stack, rotation_grace_seconds=0)

    def elsewhere(app, **keywords):
        return value_of(cookie_of(sealed(app, **{"keys": ring(2), **keywords}).establish(app.sign_in(app.user()))))

    values = {
        "its first byte changed": (flipped(good, 5), "invalid_seal"),
        "its middle changed": (flipped(good, len(good) // 2), "invalid_seal"),
        "its tag changed": (flipped(good, len(good) - 3), "invalid_seal"),
        "cut by four": (good[:-4], "invalid_seal"),
        "cut to nothing": ("v1.2.", "malformed_cookie"),
        "longer by four": (good + "AAAA", "invalid_seal"),
        "another key under the same number": (elsewhere(alone, keys=ring(2, of="x")), "invalid_seal"),
        "another client's": (elsewhere(other_client), "invalid_seal"),
        "another pool's": (elsewhere(other_pool), "invalid_seal"),
        "another cookie name's": (elsewhere(alone, cookie_name="__Host-admin"), "invalid_seal"),
        "a key that is no longer held": (good.replace("v1.2.", "v1.1."), "retired_key"),
        "no key": (good.replace("v1.2.", "v1.0."), "malformed_cookie"),
        "a number spelled otherwise": (good.replace("v1.2.", "v1.02."), "malformed_cookie"),
        "no frame": (good.replace("v1.2.", ""), "malformed_cookie"),
        "padded": (good + "=", "malformed_cookie"),
        "quoted": (f'"{good}"', "malformed_cookie"),
        "an access token": (me.access_token, "malformed_cookie"),
        "a secret at rest": (session_rows(alone, user)[0]["token"].removeprefix("sealed."), "invalid_seal"),
        "very long": ("v1.2." + "A" * 4000, "invalid_seal"),
    }
    sealed(alone, keys=ring(2)).sign_out(f"{NAME}={good}")
    stack.clear_calls()
    return alone, values


def test_every_forgery_is_refused_unseen(forged):
    """Each for its stable reason: no read, no write, no call to Cognito, not even a key fetch."""
    app, values = forged
    manager, before = sealed(app, keys=ring(2)), rows(app)
    found = {name: manager.resolve(f"{NAME}={value}") for name, (value, _) in values.items()}
    assert found == {name: Rejected(reason) for name, (_, reason) in values.items()}
    for value, _ in values.values():
        assert manager.sign_out(f"{NAME}={value}")
    assert app.stack.calls() == []
    assert rows(app) == before


def test_other_code_with_the_same_keys_meets_another_client(stack):
    """Two clients of one pool under the same keys: one's cookie means nothing to the other, and nobody is asked."""
    one = make_app(stack)
    two = make_app(stack)
    other = stack.create_client(make_pool(stack))
    cookie = begun(one, sealed(one))
    assert sealed(two, client_id=other.client_id).resolve(cookie) == Rejected("invalid_seal")
    assert sealed(two).resolve(cookie).reason == "unknown_session"


def test_a_number_too_high_is_a_503_for_its_sender(alone):
    """A cookie that names a key or format to come: could not find out, without a call; nobody is signed out by it."""
    manager = sealed(alone)
    cookie = begun(alone, manager)
    for changed in (cookie.replace("v1.1.", "v1.2."), cookie.replace("v1.1.", "v2.1.")):
        with pytest.raises(SessionUnavailable) as caught:
            manager.resolve(changed)
        assert (caught.value.reason, caught.value.retry_after) == ("seal_key_unavailable", 1)
    assert alone.stack.calls() == []
    assert isinstance(manager.resolve(cookie), Active)


def test_a_good_cookie_beside_bad_ones(alone):
    """Of several cookies of the name the only one that opens is used; two that open prove nothing."""
    manager = sealed(alone)
    good, other = begun(alone, manager), begun(alone, manager)
    assert isinstance(manager.resolve(f"{NAME}=EVIL; {good}; {flipped(good, 30)}"), Active)
    assert manager.resolve(f"{good}; {other}") == Rejected("ambiguous_cookie")


# --- keys that change


def test_keys_change_in_three_stages(rotating):
    """Old ring, both, new only: no session is lost on the way, and a worker that lags behind neither rejects nor overwrites."""
    app, stack = rotating, rotating.stack
    lagging, ahead = sealed(app, keys=ring(1)), sealed(app, keys=ring(2, 1))
    quiet = begun(app, lagging)
    busy = begun(app, lagging)
    assert isinstance(ahead.resolve(busy), Active)
    young = begun(app, ahead)
    assert young.startswith(f"{NAME}=v1.2.")
    assert isinstance(lagging.resolve(busy), Active)

    app.expire()
    new = cookie_of(ahead.resolve(busy).session)
    before = rows(app)
    stack.clear_calls()
    for cookie in (new, young, busy):
        with pytest.raises(SessionUnavailable) as caught:
            lagging.resolve(cookie)
        assert caught.value.reason == "seal_key_unavailable"
    app.expire()
    for cookie in (new, busy):
        with pytest.raises(SessionUnavailable):
            lagging.resolve(cookie)
    assert set(done(stack)) <= {READ}
    assert rows(app) == before

    caught_up, last = sealed(app, keys=ring(2, 1)), sealed(app, keys=ring(2))
    moved = [cookie_of(caught_up.resolve(cookie).session) for cookie in (new, young, quiet)]
    assert all(cookie.startswith(f"{NAME}=v1.2.") for cookie in moved)
    assert {type(last.resolve(cookie)) for cookie in moved} == {Active}
    app.expire()
    assert {type(last.resolve(cookie)) for cookie in moved} == {Refreshed}


def test_a_retired_key(app):
    """A cookie whose key has been taken away is refused by name, without a call; so is a row whose key has."""
    stack = app.stack
    old = begun(app, sealed(app, keys=ring(1)))
    assert sealed(app, keys=ring(2)).resolve(old) == Rejected("retired_key")
    assert stack.calls() == []
    healed = sealed(app, keys=ring(1))
    healed.resolve(old)
    app.expire()
    first = cookie_of(healed.resolve(old).session)
    moved = cookie_of(sealed(app, keys=ring(2, 1)).resolve(old).session)
    app.expire()
    assert sealed(app, keys=ring(2)).resolve(first) == Rejected("retired_key")
    before, reports = rows(app), Reports()
    assert sealed(app, keys=ring(2), on_event=reports).resolve(moved) == Rejected("retired_key")
    assert rows(app) == before
    assert [report.detail for report in reports.named("tampered")] == ["retired_key"]


def test_keys_from_a_callable(app):
    """Keys are asked for again when a value names a newer one, at most once in ten seconds, and from time to time."""
    clock, asked, text = by_hand(app), [], [ring(1)]

    def read():
        asked.append(clock.monotonic())
        return text[0]

    manager = sealed(app, keyring=read, clock=clock)
    ahead = sealed(app, keys=ring(2, 1), clock=clock)
    assert asked == []
    old = begun(app, manager)
    young = begun(app, ahead)
    assert len(asked) == 1
    for _ in range(5):
        with pytest.raises(SessionUnavailable):
            manager.resolve(young)
    assert len(asked) == 1
    clock.advance(10)
    with pytest.raises(SessionUnavailable):
        manager.resolve(young)
    assert len(asked) == 2
    text[0] = ring(2, 1)
    with pytest.raises(SessionUnavailable):
        manager.resolve(young)
    clock.advance(10)
    assert isinstance(manager.resolve(young), Active)
    assert isinstance(manager.resolve(old), Active)
    assert len(asked) == 3
    text[0] = ring(3, 2, 1)
    clock.advance(299)
    assert isinstance(manager.resolve(young), Active)
    assert len(asked) == 3
    clock.advance(1)
    assert begun(app, manager).startswith(f"{NAME}=v1.3.")
    assert len(asked) == 4


@pytest.mark.parametrize("trouble", [SessionUnavailable("away"), RuntimeError("away"), "nonsense", ""])
def test_a_failed_renewal_keeps_the_keys_at_hand(alone, trouble):
    """Whatever the callable raises or returns: sessions go on, and it is asked once for all threads, not once for each."""
    clock, asked, text = by_hand(alone), [], [ring(1)]

    def read():
        asked.append(clock.monotonic())
        if isinstance(text[0], Exception):
            raise text[0]
        return text[0]

    manager = sealed(alone, keyring=read, clock=clock)
    cookie = begun(alone, manager)
    text[0] = trouble
    clock.advance(301)
    assert {type(found) for found in joined([in_thread(manager.resolve, cookie) for _ in range(8)])} == {Active}
    assert len(asked) == 2


def test_without_keys_at_hand_a_failure_shows(alone):
    """The first reading has nothing to fall back on: its failure is the request's, and the next request asks again."""
    text = []

    def read():
        if not text:
            raise SessionUnavailable("away", reason="keyring_unavailable")
        return text[0]

    manager = sealed(alone, keyring=read)
    cookie = begun(alone, sealed(alone))
    with pytest.raises(SessionUnavailable) as caught:
        manager.resolve(cookie)
    assert caught.value.reason == "keyring_unavailable"
    text.append(ring(1))
    assert isinstance(manager.resolve(cookie), Active)


@pytest.fixture
def vault():
    """A server that stands for Secrets Manager: answers what `plan` says."""
    server = EchoServer()
    yield server
    server.stop()


def from_secrets_manager(app, vault, **keywords):
    """A manager whose keys are in a secret."""
    environment = {**app.environment, "AWS_ENDPOINT_URL_SECRETS_MANAGER": vault.url, "SESSION_SECRET_ARN": ARN}
    return app.manager(**{"environ": environment, "cookie": "sealed", "cookie_name": None, **keywords})


def secret(text):
    """Secrets Manager's answer."""
    return (200, json.dumps({"ARN": ARN, "SecretString": text}).encode(), {})


def refusal(code, status=400):
    """Secrets Manager's refusal."""
    return (status, json.dumps({"__type": code, "message": "no"}).encode(), {})


@pytest.mark.parametrize("form", ["text", "object"])
def test_keys_from_secrets_manager(alone, vault, form):
    """The secret is read once, signed, when first needed; renewed without a restart; an outage keeps the keys at hand."""
    clock = by_hand(alone)
    wrap = {"text": str, "object": lambda text: json.dumps({"SESSION_KEYS": text, "CLIENT_SECRET": "x"})}[form]
    manager = from_secrets_manager(alone, vault, clock=clock)
    assert vault.requests == []
    vault.plan.append(secret(wrap(ring(1))))
    cookie = begun(alone, manager)
    assert isinstance(manager.resolve(cookie), Active)
    (request,) = vault.requests
    assert request.headers["x-amz-target"] == "secretsmanager.GetSecretValue"
    assert json.loads(request.body) == {"SecretId": ARN}
    assert "/us-east-1/secretsmanager/aws4_request" in request.headers["authorization"]
    clock.advance(300)
    vault.plan += [refusal("InternalServiceError", 500)] * 4
    assert isinstance(manager.resolve(cookie), Active)
    del vault.plan[:]
    young = begun(alone, sealed(alone, keys=ring(2, 1), clock=clock))
    clock.advance(10)
    vault.plan.append(secret(wrap(ring(2, 1))))
    assert isinstance(manager.resolve(young), Active)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (refusal("ResourceNotFoundException"), ConfigurationError, "SESSION_SECRET_ARN.*ResourceNotFoundException"),
        (refusal("AccessDeniedException"), ConfigurationError, "SESSION_SECRET_ARN.*role"),
        (refusal("InternalServiceError", 500), SessionUnavailable, "InternalServiceError"),
        ("drop", SessionUnavailable, "did not answer"),
        (secret("{"), ConfigurationError, "SESSION_SECRET_ARN"),
        (secret('{"OTHER": "x"}'), ConfigurationError, "SESSION_SECRET_ARN"),
        (secret("my favourite password"), ConfigurationError, "SESSION_KEYS: entry 1"),
        ((200, b"{}", {}), ConfigurationError, "SESSION_SECRET_ARN"),
    ],
    ids=["missing", "denied", "failing", "dropped", "broken", "other member", "other text", "binary"],
)
def test_secrets_manager_without_keys_at_hand(alone, vault, answer, error, words):
    """Refused is a configuration error that names the setting, an outage a 503; the cookie is never rejected for it."""
    cookie = begun(alone, sealed(alone))
    vault.plan += [answer] * 4
    with pytest.raises(error, match=words) as caught:
        from_secrets_manager(alone, vault).resolve(cookie)
    assert "password" not in str(caught.value)
    assert alone.stack.calls() == []


def without_client_secret(app):
    """The app's environment, in which the app client's secret is not."""
    return {name: value for name, value in app.environment.items() if "CLIENT_SECRET" not in name}


@pytest.fixture
def confidential(stack):
    """An app whose client has a secret."""
    return make_app(stack, client_secret=True)


def test_the_client_secret_from_secrets_manager(confidential, vault):
    """The secret holds it beside the keys: sign-in, refresh and revocation show it, and read it once where no key was read yet:
    the other two readings are the keys' first and their renewal.
    """
    app = confidential
    names = without_client_secret(app) | {"AWS_ENDPOINT_URL_SECRETS_MANAGER": vault.url, "SESSION_SECRET_ARN": ARN}
    manager = app.manager(environ=names, cookie="sealed", cookie_name=None)
    vault.plan += [secret(json.dumps({"SESSION_KEYS": ring(1), "CLIENT_SECRET": app.pool.client_secret}))] * 3
    user = app.user()
    cookie = cookie_of(manager.password_flows().sign_in(user.username, PASSWORD).session)
    app.expire()
    assert isinstance(manager.resolve(cookie), Refreshed)
    manager.sign_out(cookie)
    assert [call.operation for call in app.stack.calls("cognito") if call.worked][-2:] == [REFRESH, "RevokeToken"]
    assert len(vault.requests) == 3
    assert app.pool.client_secret not in repr(manager) + repr(manager.ports)


@pytest.mark.parametrize("member", [12345, True, ["secret"], {"value": "secret"}, "in\nside", "in\u200bside"])
def test_a_client_secret_in_a_form_that_none_has(confidential, vault, member):
    """Told as what it is: the app client is not taken for one without a secret, and nothing of the value is shown."""
    app = confidential
    names = without_client_secret(app) | {"AWS_ENDPOINT_URL_SECRETS_MANAGER": vault.url, "SESSION_SECRET_ARN": ARN}
    manager = app.manager(environ=names, cookie="sealed", cookie_name=None)
    vault.plan += [secret(json.dumps({"SESSION_KEYS": ring(1), "CLIENT_SECRET": member}))] * 3
    with pytest.raises(ConfigurationError, match=r"^SESSION_SECRET_ARN: CLIENT_SECRET in the secret: expected") as caught:
        manager.password_flows().sign_in(app.user().username, PASSWORD)
    assert "side" not in str(caught.value)
    assert "12345" not in str(caught.value)


def test_a_client_secret_that_cannot_be_read(confidential, vault):
    """An outage of Secrets Manager is a 503 in which nothing was sent and nobody's session ends; then it is read."""
    app = confidential
    names = without_client_secret(app) | {"AWS_ENDPOINT_URL_SECRETS_MANAGER": vault.url, "SESSION_SECRET_ARN": ARN}
    cookie = begun(app, sealed(app))
    app.expire()
    manager = app.manager(environ={**names, "SESSION_KEYS": ring(1)}, cookie="sealed", cookie_name=None)
    app.stack.clear_calls()
    vault.plan += [refusal("InternalServiceError", 500)] * 4
    with pytest.raises(SessionUnavailable):
        manager.resolve(cookie)
    assert REFRESH not in done(app.stack)
    del vault.plan[:]
    vault.plan.append(secret(json.dumps({"SESSION_KEYS": ring(1), "CLIENT_SECRET": app.pool.client_secret})))
    app.stack.advance(15)
    assert isinstance(manager.resolve(cookie), Refreshed)


# --- secrets at rest


@pytest.mark.parametrize("kind", ["sealed", "token"])
def test_no_token_is_readable_in_the_table(rotating, kind):
    """With keys the table holds no refresh or access token in plain, after sign-in, refresh and sign-out, in either mode."""
    app = rotating
    manager = sealed(app) if kind == "sealed" else app.manager(session_keys=ring(1))
    tokens = app.sign_in(app.user())
    me = manager.establish(tokens)
    seen = {tokens["AccessToken"], tokens["RefreshToken"], tokens["IdToken"]}
    dumps = [str(rows(app))]
    cookie = cookie_of(me)
    manager.resolve(cookie)
    app.expire()
    me = manager.resolve(cookie).session
    seen.add(me.access_token)
    dumps.append(str(rows(app)))
    (row,) = session_rows(app)
    assert row["token"].startswith("sealed.v1.1.")
    assert row["access_token"].startswith("sealed.v1.1.")
    manager.sign_out(cookie_of(me))
    dumps.append(str(rows(app)))
    for text in seen:
        for part in (text, text.rpartition(".")[2], text[-40:]):
            assert not any(part in dump for dump in dumps)
    (row,) = session_rows(app)
    assert not {"token", "access_token", "token_hash"} & set(row)


def stored(app, user, changes):
    """Write these attributes over the user's row, as one with access to the table could."""
    from cognito_session.core.protocol.record import token_hash

    (row,) = session_rows(app, user)
    row |= changes(row)
    row["token_hash"] = token_hash(row["token"])
    app.stack.dynamodb().put_item(app.table, row)


TAMPERINGS = {
    "another row's": lambda mine, other, name: other[name],
    "the other attribute's": lambda mine, other, name: mine["access_token" if name == "token" else "token"],
    "cut": lambda mine, other, name: mine[name][:-8],
    "cut to its prefix": lambda mine, other, name: "sealed.",
    "a bit flipped": lambda mine, other, name: flipped(mine[name], 60),
    "its frame damaged": lambda mine, other, name: mine[name].replace("v1.", "v.", 1),
    "its prefix damaged": lambda mine, other, name: "S" + mine[name][1:],
}


@pytest.mark.parametrize("change", TAMPERINGS.values(), ids=TAMPERINGS)
@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_ciphertext_that_was_tampered_with(alone, change, name):
    """Moved, cut or altered: a 503 where it was to be refreshed and where it was to be served, reported, and the row is left
    as it is, without a call to Cognito.
    """
    app, reports = alone, Reports()
    manager, user = sealed(app, on_event=reports), app.user()
    cookie = begun(app, manager, user)
    other = app.user()
    begun(app, manager, other)
    stored(app, user, lambda row: {name: change(row, session_rows(app, other)[0], name)})
    if name == "token":
        app.expire()
    before, _ = rows(app), app.stack.clear_calls()
    with pytest.raises(SessionUnavailable) as caught:
        manager.resolve(cookie)
    assert caught.value.reason == "tampered_record"
    (report,) = reports.named("tampered")
    assert report.sub == user.sub
    assert rows(app) == before
    assert done(app.stack) == [READ]


@pytest.mark.parametrize("later", [True, False])
@pytest.mark.parametrize("shift", [-1, 1, 86_400, 10**30])
def test_a_row_whose_access_exp_is_not_its_token_s(alone, shift, later):
    """By it is decided who is served: moved anywhere it serves nobody, before or after the token's own end."""
    app, reports = alone, Reports()
    manager, user = sealed(app, on_event=reports), app.user()
    cookie = begun(app, manager, user)
    stored(app, user, lambda row: {"access_exp": row["access_exp"] + shift})
    if later:
        app.expire()
    with pytest.raises(SessionUnavailable) as caught:
        manager.resolve(cookie)
    assert caught.value.reason == "tampered_record"
    assert [report.sub for report in reports.named("tampered")] == [user.sub]


def test_a_foreign_sign_in_ends_what_a_sealed_cookie_stands_for(alone):
    """Other sign-in code replaced the token in the one row: the sealed cookie of the session before is displaced, unwritten."""
    manager, user = sealed(alone), alone.user()
    cookie = begun(alone, manager, user)
    alone.foreign_update(user, alone.sign_in(user))
    before = rows(alone)
    assert manager.resolve(cookie) == Rejected("displaced")
    assert rows(alone) == before


def test_rows_of_the_seed_are_sealed_at_their_next_refresh(alone):
    """Token cookie with keys and `accept_unsealed_rows`: a row written plainly is served, refreshed, and from then on sealed,
    so that it is opened without the setting; the tokens still work.
    """
    app, stack = alone, alone.stack
    manager, user = app.manager(session_keys=ring(1), policy=SessionPolicy(accept_unsealed_rows=True)), app.user()
    tokens = app.sign_in(user)
    app.seed_row(user, tokens)
    cookie = f"token={tokens['AccessToken']}"
    assert isinstance(manager.resolve(cookie), Active)
    assert session_rows(app)[0]["token"] == tokens["RefreshToken"]
    app.expire()
    cookie = cookie_of(manager.resolve(cookie).session)
    (row,) = session_rows(app)
    assert row["token"].startswith("sealed.v1.1.")
    assert tokens["RefreshToken"] not in str(row)
    manager = app.manager(session_keys=ring(1))
    app.expire()
    stack.clear_calls()
    cookie = cookie_of(manager.resolve(cookie).session)
    assert stack.count(GET_TOKENS) == 1
    manager.sign_out(cookie)
    assert stack.count(REVOKE) == 1
    with pytest.raises(Exception, match="revoked"):
        stack.refresh(app.pool, tokens["RefreshToken"])


def test_a_sealed_row_without_keys_is_the_operators(alone):
    """A worker without the keys that the row was sealed with: a 500 that names SESSION_KEYS, and the session lives on."""
    manager = alone.manager(session_keys=ring(1))
    cookie = begun(alone, manager)
    alone.expire()
    before = rows(alone)
    with pytest.raises(ConfigurationError, match="SESSION_KEYS"):
        alone.manager().resolve(cookie)
    assert rows(alone) == before
    assert isinstance(manager.resolve(cookie), Refreshed)


def test_a_refresh_that_keeps_its_origin_is_not_reported_as_changed(many):
    """The id of a sealed session is made of the origin and is not the origin: only a real change is news to operators."""
    reports, user = Reports(), many.user()
    manager = sealed(many, on_event=reports)
    me = manager.establish(many.sign_in(user))
    many.expire()
    refreshed = manager.resolve(cookie_of(me))
    assert isinstance(refreshed, Refreshed)
    assert reports.named("origin_changed") == []
    many.stack.set_rules(origin_jti_changes=True)
    many.expire()
    assert isinstance(manager.resolve(cookie_of(refreshed.session)), Refreshed)
    assert len(reports.named("origin_changed")) == 1
