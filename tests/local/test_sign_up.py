"""The page /signup of managed login: from the form over the code to a signed-in browser, and back out again."""

from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

CALLBACK = "https://app.example/callback"
DETAILS = {"username": "carol", "email": "carol@example.com", "password": "Password1!"}


class Page(HTMLParser):
    """What a page holds: title, language, fields with their labels, links and the text of an alert."""

    def __init__(self, answer):
        super().__init__()
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        self.hidden, self.fields, self.labels, self.links = {}, {}, set(), {}
        self.lang, self.title, self.alert, self._into = None, "", "", None
        self.feed(answer.text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "input" and given["type"] == "hidden":
            self.hidden[given["name"]] = given["value"]
        elif tag == "input":
            self.fields[given["name"]] = given
        elif tag == "label":
            self.labels.add(given["for"])
        elif tag == "html":
            self.lang = given["lang"]
        self._into = "alert" if given.get("role") == "alert" else {"title": "title", "a": given.get("href")}.get(tag)

    def handle_endtag(self, tag):
        self._into = None

    def handle_data(self, data):
        if self._into in ("title", "alert"):
            setattr(self, self._into, getattr(self, self._into) + data)
        elif self._into:
            self.links[data] = self._into


@pytest.fixture
def visit(browser):
    """Opens the page for a pool."""
    return lambda pool, **more: Page(browser.client.get("/signup", params=browser.asked(pool, **more)))


def submit(browser, page, **fields):
    """Send a page's form."""
    return browser.client.post("/signup", data={**page.hidden, **fields})


def told(address):
    """What an address of the app tells it."""
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == CALLBACK
    return {name: value for name, [value] in parse_qs(parts.query).items()}


def test_a_new_user_ends_signed_in(stack, browser, hosted, visit):
    """Form, code, redirect with a code and the state; the tokens are the new user's, and the browser is remembered."""
    code_page = Page(submit(browser, visit(hosted, nonce="n-1"), **DETAILS))
    [message] = stack.outbox("carol")
    done = submit(browser, code_page, code=message.code)
    assert done.status_code == 302
    answer = told(done.headers["location"])
    assert answer["state"] == "st/1"
    tokens = browser.redeem(hosted, answer["code"]).json()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (claims["cognito:username"], claims["email"], claims["email_verified"]) == ("carol", "carol@example.com", True)
    assert claims["nonce"] == "n-1"
    assert "code" in told(browser.authorize(hosted).headers["location"])
    stack.sign_in(hosted, "carol", DETAILS["password"])


def test_the_pages_can_be_used_by_all(browser, hosted, visit):
    """Language, title, a label for each field and autocomplete are there, and nothing loads from elsewhere."""
    page = visit(hosted)
    code_page = Page(submit(browser, page, **DETAILS))
    for each, title in ((page, "Sign up"), (code_page, "Confirm your email")):
        assert (each.lang, each.title, each.alert) == ("en", title, "")
        assert set(each.fields) == each.labels
        assert all("required" in field and field["autocomplete"] for field in each.fields.values())
    assert page.fields["password"]["type"] == "password"


def test_cancel_tells_the_app(browser, hosted, visit):
    """Cancel leads to the app with access_denied, a description and the state, from both pages."""
    page = visit(hosted)
    for each in (page, Page(submit(browser, page, **DETAILS))):
        answer = told(each.links["Cancel"])
        assert (answer["error"], answer["state"]) == ("access_denied", "st/1")
        assert answer["error_description"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"password": "weak"}, "Password did not conform"),
        ({"username": "alice"}, "User already exists."),
        ({"username": ""}, "Fill in every field"),
    ],
)
def test_a_form_that_cannot_be_comes_back(browser, hosted, visit, changed, expected):
    """The page comes again with the reason, announced and in the title, and all that was filled in but the password."""
    page = Page(submit(browser, visit(hosted), **{**DETAILS, **changed}))
    assert expected in page.alert
    assert page.title == "Error: Sign up"
    assert page.fields["email"]["value"] == "carol@example.com"
    assert page.fields["password"]["value"] == ""
    if "username" not in changed:
        assert Page(submit(browser, page, **DETAILS)).title == "Confirm your email"


def test_a_wrong_code_may_be_tried_again(stack, browser, hosted, visit):
    """A wrong code shows the page again without signing anybody in; a page is used once."""
    code_page = Page(submit(browser, visit(hosted), **DETAILS))
    again = Page(submit(browser, code_page, code="000000"))
    assert "Invalid verification code" in again.alert
    assert browser.cookie is None
    code = stack.outbox("carol")[-1].code
    assert submit(browser, again, code=code).status_code == 302
    assert submit(browser, again, code=code).status_code == 400


def test_a_page_left_for_too_long_is_over(stack, browser, hosted, visit):
    """After an hour the code is no longer taken."""
    code_page = Page(submit(browser, visit(hosted), **DETAILS))
    stack.advance(3601)
    assert submit(browser, code_page, code=stack.outbox("carol")[-1].code).status_code == 400


def test_a_request_that_is_not_in_order_gets_no_page(browser, hosted, visit):
    """Client and redirect_uri are checked as at /oauth2/authorize, on the form's way back too."""
    for wrong in ({"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}):
        answer = browser.client.get("/signup", params=browser.asked(hosted, **wrong))
        assert answer.status_code == 400
        form = {**visit(hosted).hidden, **wrong, **DETAILS}
        assert browser.client.post("/signup", data=form).status_code == 400
    refused = browser.client.get("/signup", params=browser.asked(hosted, scope="admin"))
    assert told(refused.headers["location"])["error"] == "invalid_request"


def test_what_is_typed_in_is_no_html(browser, hosted, visit):
    """State, name and email are escaped wherever they come back."""
    evil = '"><script>alert(1)</script>'
    answer = browser.client.get("/signup", params=browser.asked(hosted, state=evil))
    assert "<script>" not in answer.text
    assert Page(answer).hidden["state"] == evil
    answer = submit(browser, visit(hosted), username=evil, email=evil, password="weak")
    assert "<script>" not in answer.text
    assert Page(answer).fields["username"]["value"] == evil


def test_a_confidential_clients_users_sign_up_too(stack, browser, visit):
    """The page proves the client's secret for the user."""
    pool = stack.create_pool(callback_urls=[CALLBACK], client_secret=True)
    code_page = Page(submit(browser, visit(pool), **DETAILS))
    done = submit(browser, code_page, code=stack.outbox("carol")[-1].code)
    answer = browser.redeem(pool, told(done.headers["location"])["code"], client_secret=pool.client_secret)
    assert "access_token" in answer.json()


def test_the_page_can_be_throttled(stack, browser, hosted, visit):
    """The faults reach it by its path."""
    stack.fault("signup", "throttle")
    assert browser.client.get("/signup", params=browser.asked(hosted)).status_code == 429
    assert visit(hosted).title == "Sign up"
    assert [(call.service, call.operation) for call in stack.calls()] == [("oauth2", "signup")] * 2
