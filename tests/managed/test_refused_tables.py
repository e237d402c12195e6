"""Every public operation while DynamoDB refuses: an error of this package with AWS's words, and never the transport's."""

from __future__ import annotations

import pytest

from cognito_session import ConfigurationError, SessionUnavailable
from cognito_session.aws.transport.interface import ServiceError
from managed.scene import sealed
from support.stack import cookie_of, event_v2, make_app

SENTENCE = "These are the very words of AWS."
KINDS = {
    "IncompleteSignatureException": ConfigurationError,
    "MissingAuthenticationTokenException": ConfigurationError,
    "UnrecognizedClientException": ConfigurationError,
    "SerializationException": ConfigurationError,
    "ItemCollectionSizeLimitExceededException": ConfigurationError,
    "KMSDisabledException": ConfigurationError,
    "OptInRequired": ConfigurationError,
    "AccessDeniedException": ConfigurationError,
    "NeverSeenException": SessionUnavailable,
    "ResourceInUseException": SessionUnavailable,
}


@pytest.fixture(params=["sid", None], ids=["two keys", "one row"])
def app(stack, request):
    """An app in each layout."""
    return make_app(stack, sort_key=request.param)


@pytest.fixture
def scene(app):
    """A manager that does not wait, a user with a session, and each public operation on it."""
    manager = sealed(app)
    manager.ports = manager.ports._replace(sleep=app.stack.advance)
    user = app.user()
    session = manager.establish(app.sign_in(user))
    cookie = cookie_of(session)
    fresh = app.sign_in(user)

    @manager.protect
    def protected(_event, _context, me):
        return {"statusCode": 200, "body": me.sub}

    return {
        "resolve": lambda: manager.resolve(cookie),
        "establish": lambda: manager.establish(fresh, cookie_header=cookie),
        "save_data": lambda: manager.save_data(session, {"n": 1}),
        "revoke": lambda: manager.revoke(user.sub, session.sid),
        "revoke_all": lambda: manager.revoke_all(user.sub),
        "sessions_of": lambda: manager.sessions_of(user.sub),
        "sign_out": lambda: manager.sign_out(cookie),
        "protect": lambda: protected(event_v2(cookie), None),
    }


@pytest.mark.parametrize("operation", ["resolve", "save_data", "revoke", "revoke_all", "sessions_of", "sign_out", "establish"])
@pytest.mark.parametrize("code", KINDS)
def test_every_operation_ends_as_one_of_two_errors(stack, scene, operation, code):
    """ConfigurationError or SessionUnavailable, caused by the service's answer, with its sentence and request id."""
    stack.refuse("*", code, SENTENCE, times=None)
    with pytest.raises((ConfigurationError, SessionUnavailable)) as caught:
        scene[operation]()
    assert isinstance(caught.value, KINDS[code])
    assert next(cause for cause in _causes(caught.value) if isinstance(cause, ServiceError)).message == SENTENCE
    assert SENTENCE not in str(caught.value.public_body())


@pytest.mark.parametrize(("code", "status"), [("KMSDisabledException", 500), ("NeverSeenException", 503)])
def test_a_protected_handler_answers_what_it_stands_for(stack, scene, code, status):
    """A client is told the reason and nothing of AWS's."""
    stack.refuse("*", code, SENTENCE, times=None)
    answer = scene["protect"]()
    assert answer["statusCode"] == status
    assert SENTENCE not in str(answer)
    assert code not in str(answer)


def test_a_sign_in_into_a_table_with_strong_consistency(stack):
    """The error names transactions, which such a table does not take, and not the keys alone."""
    app = make_app(stack, sort_key="sid")
    table = stack.create_table(f"{app.table}-strong", sort_key="sid", strong_consistency=True)
    manager = sealed(app, session_table=table)
    with pytest.raises(ConfigurationError, match="multi-Region strong consistency, which takes no transactions"):
        manager.establish(app.sign_in(app.user()))


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    link: BaseException | None = error
    while link is not None:
        found.append(link)
        link = link.__cause__
    return found
