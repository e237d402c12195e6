"""Requests from pages of other sites in a developer's browser, which the stack refuses."""

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
    """The control endpoints refuse forms and scripts of other sites, and pages after DNS rebinding."""
    stack.create_table("kept")
    for method in ("POST", "GET"):
        assert send(stack, method, path, **headers)[0] == 403
    assert stack.dynamodb().scan("kept") == []  # nothing was reset


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT"])
def test_verbs_are_posted(stack, method):
    """A verb runs only for POST: the address of an image and a preflight do nothing."""
    assert send(stack, method, "/_test/clear_calls", **CONTROLS)[0] == 403
    assert send(stack, "POST", "/_test/clear_calls", **CONTROLS)[0] == 200


def test_no_preflight_of_another_site_passes(stack):
    """A preflight of another site fails, so its scripts cannot send AWS's headers; one of a page on this machine passes."""
    asked = {"access_control_request_method": "POST", "access_control_request_headers": "x-amz-target"}
    for origin in ("https://evil.example", "http://localhost.evil.example", "null"):
        status, headers = send(stack, "OPTIONS", "/", origin=origin, **asked)
        assert status == 403
        assert "access-control-allow-origin" not in headers
    assert send(stack, "OPTIONS", "/", origin="http://localhost:3000", **asked)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1", ""])
def test_every_request_names_this_machine(stack, host):
    """After DNS rebinding, Host has the page's own name, and the request is refused."""
    assert send(stack, "GET", "/.well-known/x", host=host)[0] == 403


def test_a_script_of_another_site_calls_no_api(stack):
    """An Origin that is not on this machine is refused even without a preflight."""
    target = {"x_amz_target": "AWSCognitoIdentityProviderService.ListUserPools"}
    for origin in ("https://evil.example", "null"):
        assert send(stack, "POST", "/", origin=origin, **target)[0] == 403
