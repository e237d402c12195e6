"""Refresh tokens over HTTP: rotation, expiry, revocation, secrets and what the new tokens say."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import boto3
import jwt
import pytest
from botocore.config import Config

from cognito_session.local.stack import CallRefusedError

PASSWORD = "Password1!"


def signed_in(stack, groups=(), **client):
    """A new pool and the tokens of alice, who has just signed in to it."""
    pool = stack.create_pool(groups=groups, **client)
    stack.create_user(pool, "alice", PASSWORD, groups=groups)
    return pool, stack.sign_in(pool, "alice", PASSWORD)


def claims(token):
    """What a token says, unverified."""
    return jwt.decode(token, options={"verify_signature": False})


def said(answer):
    """The error code and text of an API answer; None and the result of a good one."""
    body = answer.json()
    return (body["__type"], body["message"]) if answer.status_code >= 400 else (None, body["AuthenticationResult"])


def new_token(answer):
    """The refresh token of an answer that must be a good one."""
    code, result = said(answer)
    assert code is None, result
    return result["RefreshToken"]


def test_a_rotating_client_gets_a_new_token_each_time(stack, app):
    """GetTokensFromRefreshToken answers with a new opaque refresh token of realistic size; the old one is dead."""
    pool, first = signed_in(stack, rotation_grace_seconds=0)
    second = new_token(app.refresh(pool, first["RefreshToken"]))
    assert second != first["RefreshToken"]
    assert 1600 < len(second) < 1900
    assert second.count(".") == 4
    assert said(app.refresh(pool, first["RefreshToken"]))[0] == "RefreshTokenReuseException"
    assert new_token(app.refresh(pool, second))


def test_without_rotation_no_new_token_is_given(stack, app):
    """Where rotation is off the answer has no RefreshToken and the old one goes on."""
    pool, first = signed_in(stack)
    for _ in range(2):
        _, result = said(app.refresh(pool, first["RefreshToken"]))
        assert "RefreshToken" not in result
        assert result["ExpiresIn"] == 3600


def test_the_grace_ends_by_the_clock(stack, app):
    """Within the grace the old token works, after it RefreshTokenReuseException, without any waiting."""
    pool, first = signed_in(stack, rotation_grace_seconds=10)
    new_token(app.refresh(pool, first["RefreshToken"]))
    stack.advance(8)
    new_token(app.refresh(pool, first["RefreshToken"]))
    stack.advance(3)
    assert said(app.refresh(pool, first["RefreshToken"]))[0] == "RefreshTokenReuseException"


@pytest.mark.parametrize(("semantics", "elder_lives", "same"), [("A", True, False), ("B", False, False), ("C", True, True)])
def test_each_semantics_of_the_grace(stack, app, semantics, elder_lives, same):
    """A: both children live. B: only the newest. C: both uses give the same child."""
    stack.set_rules(semantics=semantics)
    pool, first = signed_in(stack, rotation_grace_seconds=60)
    elder = new_token(app.refresh(pool, first["RefreshToken"]))
    younger = new_token(app.refresh(pool, first["RefreshToken"]))
    assert (elder == younger) is same
    assert new_token(app.refresh(pool, younger))
    assert (said(app.refresh(pool, elder))[0] is None) is elder_lives


def test_reuse_may_kill_the_family(stack, app):
    """With reuse_kills_family one late use ends the newest token too."""
    stack.set_rules(reuse_kills_family=True)
    pool, first = signed_in(stack, rotation_grace_seconds=0)
    second = new_token(app.refresh(pool, first["RefreshToken"]))
    assert said(app.refresh(pool, first["RefreshToken"]))[0] == "RefreshTokenReuseException"
    assert said(app.refresh(pool, second)) == ("NotAuthorizedException", "Refresh Token has been revoked")


def test_of_32_threads_with_grace_0_one_wins(stack, app):
    """32 concurrent uses of one token: exactly one new token, all others are told of reuse."""
    pool, first = signed_in(stack, rotation_grace_seconds=0)
    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(lambda _: said(app.refresh(pool, first["RefreshToken"]))[0], range(32)))
    assert sorted(answers, key=str) == [None] + ["RefreshTokenReuseException"] * 31


def test_a_rotated_token_lives_for_the_rest(stack, app):
    """One day of life stays one day, however often the token is rotated."""
    pool, first = signed_in(stack, rotation_grace_seconds=0, refresh_token_days=1)
    stack.advance(86_000)
    second = new_token(app.refresh(pool, first["RefreshToken"]))
    stack.advance(500)
    assert said(app.refresh(pool, second)) == ("NotAuthorizedException", "Refresh Token has expired")


def test_a_token_expires_by_its_validity(stack, app):
    """Without rotation too a refresh token ends after RefreshTokenValidity."""
    pool, first = signed_in(stack, refresh_token_days=30)
    stack.advance(30 * 86_400 - 60)
    assert said(app.refresh(pool, first["RefreshToken"]))[0] is None
    stack.advance(61)
    assert said(app.refresh(pool, first["RefreshToken"])) == ("NotAuthorizedException", "Refresh Token has expired")


def test_garbage_is_invalid(stack, app):
    """A token that was never given out, another client's token and an access token are all invalid."""
    pool, first = signed_in(stack)
    other = stack.create_client(pool)
    invalid = ("NotAuthorizedException", "Invalid Refresh Token")
    assert said(app.refresh(pool, "garbage")) == invalid
    assert said(app.refresh(other, first["RefreshToken"])) == invalid
    assert said(app.refresh(pool, first["AccessToken"])) == invalid


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ("disable_user", ("NotAuthorizedException", "User is disabled.")),
        ("delete_user", ("UserNotFoundException", "User does not exist.")),
        ("sign_out_user", ("NotAuthorizedException", "Refresh Token has been revoked")),
    ],
)
def test_what_befalls_the_user_befalls_the_token(stack, app, act, expected):
    """A disabled, deleted or signed out user cannot refresh, and each is told apart as on AWS."""
    pool, first = signed_in(stack, rotation_grace_seconds=60)
    getattr(stack, act)(pool, "alice")
    assert said(app.refresh(pool, first["RefreshToken"])) == expected


@pytest.mark.parametrize(("scope", "child_lives"), [("token", True), ("family", False)])
def test_revocation_reaches_as_far_as_the_rule_says(stack, app, scope, child_lives):
    """RevokeToken of an old token ends the new one exactly when the scope is the family."""
    stack.set_rules(revoke_scope=scope)
    pool, first = signed_in(stack, rotation_grace_seconds=60)
    second = new_token(app.refresh(pool, first["RefreshToken"]))
    stack.revoke(pool, first["RefreshToken"])
    assert said(app.refresh(pool, first["RefreshToken"])) == (
        "NotAuthorizedException",
        "Refresh Token has been revoked",
    )
    assert (said(app.refresh(pool, second))[0] is None) is child_lives


def test_a_revoked_sign_in_cannot_ask_for_its_user(stack, app):
    """After RevokeToken Cognito refuses the access token too, although its signature still verifies."""
    pool, first = signed_in(stack)
    assert app.cognito("GetUser", {"AccessToken": first["AccessToken"]}).status_code == 200
    stack.revoke(pool, first["RefreshToken"])
    assert app.cognito("GetUser", {"AccessToken": first["AccessToken"]}).json()["__type"] == "NotAuthorizedException"


def test_a_confidential_client_must_show_its_secret(stack, app):
    """Missing or wrong ClientSecret: refused by GetTokensFromRefreshToken and RevokeToken, and nothing is spent."""
    pool, first = signed_in(stack, rotation_grace_seconds=0, client_secret=True)
    for secret in ({}, {"ClientSecret": "wrong"}):
        asked = {"ClientId": pool.client_id, "RefreshToken": first["RefreshToken"], **secret}
        assert said(app.cognito("GetTokensFromRefreshToken", asked))[0] == "NotAuthorizedException"
        asked = {"ClientId": pool.client_id, "Token": first["RefreshToken"], **secret}
        assert app.cognito("RevokeToken", asked).json()["__type"] == "NotAuthorizedException"
    assert new_token(app.refresh(pool, first["RefreshToken"]))
    assert pool.client_secret not in repr(pool)


def test_a_refresh_keeps_what_belongs_to_the_session(stack, app):
    """Groups, origin_jti, auth_time and sub stay; jti and iat are new; the id token agrees."""
    pool, first = signed_in(stack, rotation_grace_seconds=0, groups=("admin",))
    stack.advance(100)
    _, result = said(app.refresh(pool, first["RefreshToken"]))
    before, after, identity = (claims(t) for t in (first["AccessToken"], result["AccessToken"], result["IdToken"]))
    for name in ("sub", "origin_jti", "auth_time", "cognito:groups", "iss"):
        assert before[name] == after[name] == identity[name]
    assert before["jti"] != after["jti"]
    assert after["iat"] >= before["iat"] + 100
    assert before["cognito:groups"] == ["admin"]


def test_origin_jti_may_change_on_refresh(stack, app):
    """With origin_jti_changes a refresh gives a new origin_jti."""
    stack.set_rules(origin_jti_changes=True)
    pool, first = signed_in(stack)
    _, result = said(app.refresh(pool, first["RefreshToken"]))
    assert claims(result["AccessToken"])["origin_jti"] != claims(first["AccessToken"])["origin_jti"]
    assert claims(result["AccessToken"])["origin_jti"] == claims(result["IdToken"])["origin_jti"]


def test_without_token_revocation_tokens_have_no_origin_jti(stack, app):
    """EnableTokenRevocation off: neither origin_jti nor jti, and RevokeToken is unsupported."""
    pool, first = signed_in(stack, token_revocation=False)
    _, result = said(app.refresh(pool, first["RefreshToken"]))
    for token in (first["AccessToken"], first["IdToken"], result["AccessToken"]):
        assert not {"origin_jti", "jti"} & set(claims(token))
    with pytest.raises(CallRefusedError, match="UnsupportedOperationException"):
        stack.revoke(pool, first["RefreshToken"])


def test_every_token_verifies_against_the_key_set(stack, app):
    """Signed in, refreshed and after an hour: RS256 against the JWKS, with AWS's issuer and seconds of life."""
    pool, first = signed_in(stack, access_token_seconds=2)
    _, result = said(app.refresh(pool, first["RefreshToken"]))
    keys = {key["kid"]: jwt.PyJWK(key).key for key in app.get(f"/{pool.user_pool_id}/.well-known/jwks.json").json()["keys"]}
    for token in (first["AccessToken"], result["AccessToken"]):
        key = keys[jwt.get_unverified_header(token)["kid"]]
        checked = jwt.decode(
            token, key, algorithms=["RS256"], issuer=pool.issuer, options={"verify_exp": False, "verify_iat": False}
        )
        assert (checked["token_use"], checked["exp"] - checked["iat"]) == ("access", 2)
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(token[:-8] + "AAAAAAAA", key, algorithms=["RS256"])


def test_refresh_token_auth_is_refused_on_a_rotating_client(stack, app):
    """Rotation excludes the REFRESH_TOKEN_AUTH flow; without rotation it works and gives no new refresh token."""
    rotating, first = signed_in(stack, rotation_grace_seconds=60)
    plain = stack.create_client(rotating)
    second = stack.sign_in(plain, "alice", PASSWORD)
    for pool, tokens, expected in ((rotating, first, "InvalidParameterException"), (plain, second, None)):
        parameters = {"AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": {"REFRESH_TOKEN": tokens["RefreshToken"]}}
        code, result = said(app.cognito("InitiateAuth", {"ClientId": pool.client_id, **parameters}))
        assert code == expected
        if expected is None:
            assert "RefreshToken" not in result
            assert claims(result["AccessToken"])["origin_jti"] == claims(tokens["AccessToken"])["origin_jti"]


def test_rotation_settings_are_kept_and_shown(stack, app):
    """Create, Describe and Update carry RefreshTokenRotation, and Update takes effect."""
    pool, first = signed_in(stack, rotation_grace_seconds=15)
    who = {"UserPoolId": pool.user_pool_id, "ClientId": pool.client_id}
    shown = stack.cognito("DescribeUserPoolClient", **who)["UserPoolClient"]["RefreshTokenRotation"]
    assert shown == {"Feature": "ENABLED", "RetryGracePeriodSeconds": 15}
    stack.cognito("UpdateUserPoolClient", **who, RefreshTokenRotation={"Feature": "DISABLED"})
    assert "RefreshToken" not in said(app.refresh(pool, first["RefreshToken"]))[1]
    for wrong in ({"Feature": "ON"}, {"Feature": "ENABLED", "RetryGracePeriodSeconds": 61}):
        with pytest.raises(CallRefusedError, match="InvalidParameterException"):
            stack.cognito("UpdateUserPoolClient", **who, RefreshTokenRotation=wrong)


def test_a_device_must_be_confirmed_and_named(stack, app):
    """With device tracking a refresh needs the device key of the sign-in, and a device that ConfirmDevice has confirmed."""
    pool, first = signed_in(stack, device_tracking=True)
    key, access = first["NewDeviceMetadata"]["DeviceKey"], first["AccessToken"]
    refused = ("NotAuthorizedException", "Invalid Refresh Token")
    assert claims(access)["device_key"] == key
    assert said(app.refresh(pool, first["RefreshToken"], DeviceKey=key)) == refused
    stack.cognito("ConfirmDevice", AccessToken=access, DeviceKey=key)
    assert said(app.refresh(pool, first["RefreshToken"])) == refused
    assert said(app.refresh(pool, first["RefreshToken"], DeviceKey=f"{key}0")) == refused
    code, result = said(app.refresh(pool, first["RefreshToken"], DeviceKey=key))
    assert (code, claims(result["AccessToken"])["device_key"]) == (None, key)
    stack.cognito("ForgetDevice", AccessToken=access, DeviceKey=key)
    assert said(app.refresh(pool, first["RefreshToken"], DeviceKey=key)) == refused


def test_the_token_endpoint_rotates_too(stack, app):
    """/oauth2/token: a new refresh token, the client's own expires_in, groups kept, invalid_grant on reuse."""
    pool, first = signed_in(stack, rotation_grace_seconds=0, access_token_seconds=900, groups=("admin",))
    form = {"grant_type": "refresh_token", "client_id": pool.client_id, "refresh_token": first["RefreshToken"]}
    answer = app.form("/oauth2/token", form)
    result = answer.json()
    assert (answer.status_code, result["expires_in"], result["token_type"]) == (200, 900, "Bearer")
    assert claims(result["access_token"])["cognito:groups"] == ["admin"]
    assert claims(result["id_token"])["origin_jti"] == claims(first["IdToken"])["origin_jti"]
    again = app.form("/oauth2/token", form)
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})
    assert new_token(app.refresh(pool, result["refresh_token"]))


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke"])
def test_oauth_clients_prove_themselves(stack, app, path):
    """A confidential client must show its secret, by Basic or in the form; a wrong one is invalid_client."""
    pool, first = signed_in(stack, client_secret=True)
    form = {"grant_type": "refresh_token", "refresh_token": first["RefreshToken"], "token": first["RefreshToken"]}
    in_form = {**form, "client_id": pool.client_id}
    for answer in (
        app.form(path, in_form),
        app.form(path, {**in_form, "client_secret": "wrong"}),
        app.form(path, form, auth=(pool.client_id, "wrong")),
    ):
        assert answer.json() == {"error": "invalid_client"}
        assert answer.status_code == (400 if path.endswith("token") else 401)
    assert app.form(path, {**in_form, "client_secret": pool.client_secret}).status_code == 200
    tokens = stack.sign_in(pool, "alice", PASSWORD)
    form |= {"refresh_token": tokens["RefreshToken"], "token": tokens["RefreshToken"]}
    assert app.form(path, form, auth=(pool.client_id, pool.client_secret)).status_code == 200


def test_oauth_revocation(stack, app):
    """/oauth2/revoke ends a sign-in; an unknown token is fine, an access token is the wrong type."""
    pool, first = signed_in(stack)
    who = {"client_id": pool.client_id}
    assert app.form("/oauth2/revoke", {**who, "token": "unknown"}).status_code == 200
    wrong = app.form("/oauth2/revoke", {**who, "token": first["AccessToken"]})
    assert (wrong.status_code, wrong.json()) == (400, {"error": "unsupported_token_type"})
    assert app.form("/oauth2/revoke", {**who, "token": first["RefreshToken"]}).content == b""
    assert said(app.refresh(pool, first["RefreshToken"])) == (
        "NotAuthorizedException",
        "Refresh Token has been revoked",
    )


def test_a_hosted_sign_in_comes_under_the_same_rules(stack, app):
    """Code grant with PKCE: an opaque refresh token, groups kept by its refresh, and rotation at both doors."""
    back = "http://localhost:1/callback"
    pool, _ = signed_in(stack, rotation_grace_seconds=0, groups=("admin",), callback_urls=[back])
    verifier = "v" * 64
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {"client_id": pool.client_id, "redirect_uri": back, "scope": "openid email", "response_type": "code"}
    asked |= {"state": "s", "code_challenge": challenge, "code_challenge_method": "S256"}
    assert app.get("/oauth2/authorize", **asked).status_code == 200
    sent_back = app.form("/login", {**asked, "username": "alice", "password": PASSWORD}).headers["location"]
    code = parse_qs(urlsplit(sent_back).query)["code"][0]
    who = {"client_id": pool.client_id}
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
    first = app.form("/oauth2/token", {**who, **grant}).json()
    assert first["refresh_token"].count(".") == 4
    grant = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = app.form("/oauth2/token", {**who, **grant}).json()
    before, after = claims(first["access_token"]), claims(second["access_token"])
    assert (after["scope"], after["cognito:groups"]) == (before["scope"], ["admin"])
    assert after["origin_jti"] == before["origin_jti"]
    assert new_token(app.refresh(pool, second["refresh_token"]))
    assert app.form("/oauth2/token", {**who, **grant}).json() == {"error": "invalid_grant"}


def test_boto3_meets_its_own_exceptions(stack, monkeypatch):
    """The AWS SDK works against the stack by environment alone and raises its typed RefreshTokenReuseException."""
    pool, first = signed_in(stack, rotation_grace_seconds=0)
    for name, value in pool.environment().items():
        monkeypatch.setenv(name, value)
    client = boto3.client("cognito-idp", config=Config(retries={"total_max_attempts": 1}))
    asked = {"ClientId": pool.client_id, "RefreshToken": first["RefreshToken"]}
    assert client.get_tokens_from_refresh_token(**asked)["AuthenticationResult"]["RefreshToken"]
    with pytest.raises(client.exceptions.RefreshTokenReuseException):
        client.get_tokens_from_refresh_token(**asked)
    client.close()
