"""Pages of other sites in a developer's browser: what the stack's port refuses them."""

import http.client
from urllib.parse import urlsplit

import pytest


def send(stack, method, path, **headers):
    """The status and headers of one request; header names with underscores."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(stack.url).port, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, b"{}" if method == "POST" else None, named)
        response = connection.getresponse()
        response.read()
        return response.status, {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()


CONTROLS = {"x_test_control": "1"}


@pytest.mark.parametrize(
    "path", ["/_test/reset", "/_test/advance", "/_test/outbox", "/_ministack/reset", "/_localstack/health"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example", "content_type": "text/plain"},
        {"origin": "null", **CONTROLS},
        {"origin": "http://localhost:3000", **CONTROLS},
        {"sec_fetch_site": "cross-site", **CONTROLS},
        {"sec_fetch_site": "same-origin", **CONTROLS},
        {"host": "evil.example", **CONTROLS},
        {"host": "127.0.0.1.evil.example", **CONTROLS},
    ],
)
def test_no_page_reaches_what_controls_the_stack(stack, path, headers):
    """Neither a form of another site, nor a script, nor a page behind a name that was rebound to this machine."""
    stack.create_table("kept")
    for method in ("POST", "GET"):
        assert send(stack, method, path, **headers)[0] == 403
    assert stack.dynamodb().scan("kept") == []  # nothing was reset


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT"])
def test_verbs_are_posted(stack, method):
    """A verb is carried out for POST alone: an image's address and a preflight do nothing."""
    assert send(stack, method, "/_test/clear_calls", **CONTROLS)[0] == 403
    assert send(stack, "POST", "/_test/clear_calls", **CONTROLS)[0] == 200


def test_no_preflight_of_another_site_passes(stack):
    """So that no script of it can send AWS's headers; a page on this machine may."""
    asked = {"access_control_request_method": "POST", "access_control_request_headers": "x-amz-target"}
    for origin in ("https://evil.example", "http://localhost.evil.example", "null"):
        status, headers = send(stack, "OPTIONS", "/", origin=origin, **asked)
        assert status == 403
        assert "access-control-allow-origin" not in headers
    assert send(stack, "OPTIONS", "/", origin="http://localhost:3000", **asked)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1", ""])
def test_every_request_names_this_machine(stack, host):
    """DNS rebinding: the page's own name stands in Host."""
    assert send(stack, "GET", "/.well-known/x", host=host)[0] == 403


def test_a_script_of_another_site_calls_no_api(stack):
    """Whatever brought it past the preflight: an Origin that is not this machine's ends it."""
    target = {"x_amz_target": "AWSCognitoIdentityProviderService.ListUserPools"}
    for origin in ("https://evil.example", "null"):
        assert send(stack, "POST", "/", origin=origin, **target)[0] == 403
