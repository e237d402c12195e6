"""The outbox: every code that Cognito would send, and none that it would not."""

import pytest

PASSWORD = "Password1!"


@pytest.fixture
def pool(stack):
    """A pool that knows second factors, with alice in it."""
    pool = stack.create_pool(mfa="OPTIONAL")
    stack.create_user(pool, "alice", PASSWORD, email="alice@example.com", phone="+14155550123")
    return pool


def sent(stack, username="alice"):
    """What was sent to a user, without the codes."""
    return [(message.medium, message.purpose) for message in stack.outbox(username)]


def test_the_codes_of_a_sign_up_are_listed_and_work(stack, app, pool):
    """SignUp and ResendConfirmationCode send by email; the code that is listed confirms, and proves the address."""
    email = [{"Name": "email", "Value": "bob@example.com"}]
    who = {"ClientId": pool.client_id, "Username": "bob"}
    app.cognito("SignUp", {**who, "Password": PASSWORD, "UserAttributes": email})
    app.cognito("ResendConfirmationCode", who)
    assert sent(stack, "bob") == [("EMAIL", "sign_up"), ("EMAIL", "resend")]
    code = stack.outbox("bob")[-1].code
    assert app.cognito("ConfirmSignUp", {**who, "ConfirmationCode": "000000"}).status_code == 400
    assert app.cognito("ConfirmSignUp", {**who, "ConfirmationCode": code}).status_code == 200
    found = stack.cognito("AdminGetUser", UserPoolId=pool.user_pool_id, Username="bob")
    assert {"Name": "email_verified", "Value": "true"} in found["UserAttributes"]


def test_the_codes_of_a_forgotten_password_are_listed_and_work(stack, app, pool):
    """ForgotPassword and AdminResetUserPassword: the code that is listed sets a new password."""
    who = {"ClientId": pool.client_id, "Username": "alice"}
    stack.cognito("AdminResetUserPassword", UserPoolId=pool.user_pool_id, Username="alice")
    app.cognito("ForgotPassword", who)
    assert sent(stack) == [("EMAIL", "reset_password"), ("EMAIL", "forgot_password")]
    confirmed = {**who, "ConfirmationCode": stack.outbox("alice")[-1].code, "Password": "Renewed1!"}
    assert app.cognito("ConfirmForgotPassword", confirmed).status_code == 200
    stack.sign_in(pool, "alice", "Renewed1!")


def test_the_codes_of_a_sign_in_are_listed(stack, app, pool):
    """A first factor is sent for sign_in, a second one for mfa, by email and by SMS; the newest stands last."""
    start = {"ClientId": pool.client_id, "AuthFlow": "USER_AUTH"}
    for factor in ("EMAIL_OTP", "SMS_OTP"):
        app.cognito("InitiateAuth", {**start, "AuthParameters": {"USERNAME": "alice", "PREFERRED_CHALLENGE": factor}})
    given = {"USERNAME": "alice", "PASSWORD": PASSWORD}
    for factor in ("EMAIL_OTP", "SMS_MFA"):
        stack.set_mfa(pool, "alice", factor, preferred=factor)
        app.cognito("InitiateAuth", {**start, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": given})
    assert sent(stack) == [("EMAIL", "sign_in"), ("SMS", "sign_in"), ("EMAIL", "mfa"), ("SMS", "mfa")]
    assert all(len(message.code) == 6 and message.code.isdigit() for message in stack.outbox("alice"))


def test_nothing_leaves_for_nobody(stack, app, pool):
    """A code that a hidden unknown user, a refused request or a user without an address would get is not listed."""
    for operation in ("ForgotPassword", "ResendConfirmationCode"):
        assert app.cognito(operation, {"ClientId": pool.client_id, "Username": "nobody"}).status_code == 200
    weak = {"ClientId": pool.client_id, "Username": "bob", "Password": "weak"}
    assert app.cognito("SignUp", weak).status_code == 400
    assert app.cognito("SignUp", {**weak, "Password": PASSWORD}).status_code == 200
    assert stack.outbox() == []


def test_a_message_says_where_and_when_and_hides_its_code(stack, app, pool):
    """user_pool_id and sent_at tell messages of one name apart; a repr shows no code."""
    other = stack.create_pool()
    stack.create_user(other, "alice", PASSWORD)
    app.cognito("ForgotPassword", {"ClientId": pool.client_id, "Username": "alice"})
    stack.advance(60)
    app.cognito("ForgotPassword", {"ClientId": other.client_id, "Username": "alice"})
    first, second = stack.outbox("alice")
    assert (first.user_pool_id, second.user_pool_id) == (pool.user_pool_id, other.user_pool_id)
    assert second.sent_at >= first.sent_at + 60
    assert first.code not in repr(first)


def test_an_outbox_is_of_one_user_or_of_all_and_is_emptied_by_a_reset(stack, app, pool):
    """Without a name it lists all; after a reset none."""
    stack.create_user(pool, "bob", PASSWORD)
    for username in ("alice", "bob"):
        app.cognito("ForgotPassword", {"ClientId": pool.client_id, "Username": username})
    assert [message.username for message in stack.outbox()] == ["alice", "bob"]
    assert [message.username for message in stack.outbox("bob")] == ["bob"]
    stack.reset()
    assert stack.outbox() == []
