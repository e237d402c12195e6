"""botocore at DEBUG: our calls leave no password, token or payload in the log, the application's own calls are logged."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import boto3
import pytest

from cognito_session.aws.transport.debug_log_filter import without_debug_logs
from cognito_session.core.protocol.record import SessionKey
from cognito_session.signin.outcome import Established, Refused
from support.stack import PASSWORD, make_app

BOTOCORE = ("botocore", "boto3", "urllib3")


@pytest.fixture(params=["our session", "theirs", "their clients"])
def scene(stack, request):
    """An app whose calls go over botocore, with a session or clients of its own or without."""
    made = make_app(stack, sort_key="sid", client_secret=True)
    where = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    session = boto3.Session(**where)
    url = {"endpoint_url": stack.url}
    clients = {name: session.client(name, **url) for name in ("dynamodb", "cognito-idp")}
    keywords = {"our session": {}, "theirs": {"boto3_session": session}, "their clients": {"clients": clients}}
    return SimpleNamespace(app=made, own=clients["dynamodb"], keywords=keywords[request.param])


def secrets_in(text, secrets):
    """Those that stand in the text."""
    return [secret[:12] for secret in secrets if secret in text]


def test_a_whole_sign_in_at_debug(scene, caplog, monkeypatch):
    """Sign-in, check, refresh and sign-out: neither password nor client secret nor a token is logged, nor any payload."""
    monkeypatch.setitem(sys.modules, "cognito_session.aws.transport.curl", None)
    caplog.set_level(logging.DEBUG)
    app, manager = scene.app, scene.app.manager(**scene.keywords)
    user = app.user()
    begun = manager.password_flows().sign_in(user.username, PASSWORD)
    assert isinstance(begun, Established)
    assert isinstance(manager.password_flows().sign_in(user.username, "Wrong-Password-1!"), Refused)
    me = begun.session
    cookie = me.set_cookies[0].partition(";")[0]
    row = manager.ports.store.load(SessionKey(me.sub, me.sid))
    app.stack.advance(3600)
    served = manager.resolve(cookie).session
    manager.sign_out(f"token={served.access_token}")
    secrets = [PASSWORD, "Wrong-Password-1!", me.access_token, served.access_token, app.pool.client_secret, row["token"]]
    assert secrets_in(caplog.text, secrets) == []
    ours = [
        record for record in caplog.records if record.name.partition(".")[0] in BOTOCORE and record.levelno < logging.WARNING
    ]
    assert [record for record in ours if "TableName" in record.getMessage()] == []


def test_the_applications_own_calls_are_logged(scene, caplog, monkeypatch):
    """A call of the application beside ours, with the same session, is logged as ever; its loggers keep their levels."""
    monkeypatch.setitem(sys.modules, "cognito_session.aws.transport.curl", None)
    app, manager = scene.app, scene.app.manager(**scene.keywords)
    manager.resolve(f"token={app.sign_in(app.user())['AccessToken']}")
    caplog.set_level(logging.DEBUG)
    scene.own.describe_table(TableName=app.table)
    assert any(record.name == "botocore.endpoint" and app.table in record.getMessage() for record in caplog.records)


def test_warnings_pass_and_the_block_ends():
    """Within the block DEBUG is refused and WARNING passes; after it everything passes."""
    seen = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())
    logger = logging.getLogger("botocore.of_this_test")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        with without_debug_logs():
            logger.debug("a payload")
            logger.warning("a warning")
        logger.debug("afterwards")
    finally:
        logger.removeHandler(handler)
    assert seen == ["a warning", "afterwards"]
