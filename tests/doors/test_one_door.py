"""All front doors side by side: what a visitor meets at one is what a visitor meets at every other."""

from __future__ import annotations

from doors.doors import CANNOT, DOORS
from doors.page import ROUTES
from doors.visitor import PAGE, SCRIPT, seen
from managed.scene import NAME


def walk(visitor):
    """Every page as a user; some as a stranger, in an outage, with a token that has expired; in from elsewhere, in, and out."""
    pages = [path for path, (_, method) in ROUTES.items() if method == "GET" and path != "/stream"]
    asked = {f"script {path}": visitor.ask(path) for path in ("/me", "/admins", "/maybe")}
    asked |= {f"person {path}": visitor.ask(path, headers=PAGE) for path in ("/me", "/maybe", "/public")}
    asked["post"] = visitor.ask("/change", "POST", headers=PAGE)
    asked["from elsewhere"] = visitor.ask("/change", "POST", headers=())
    visitor.cookies = (f"{NAME}=forged",)
    asked["forged"] = visitor.ask("/me")
    visitor.sign_in()
    asked |= {f"user {path}": visitor.ask(path) for path in pages}
    asked["changed"] = visitor.ask("/change", "POST", headers=SCRIPT, body=b"x=1")
    visitor.app.stack.fault("GetItem", "error500", times=None)
    asked |= {f"outage, {kind}": visitor.ask("/me", headers=who) for kind, who in (("script", SCRIPT), ("person", PAGE))}
    visitor.app.stack.clear_faults()
    for path in ("/redirect", "/missing", "/admins", "/own-cookie", "/private"):
        visitor.app.expire()
        asked[f"expired {path}"] = visitor.keep(visitor.ask(path))
    visitor.box.tokens = visitor.app.sign_in(visitor.user)
    asked["in"] = visitor.keep(visitor.ask("/sign-in", "POST"))
    asked["out"] = visitor.ask("/sign-out", "POST")
    return {name: seen(answer, visitor.user.username) for name, answer in asked.items()}


def test_every_door_is_the_same_door(everywhere):
    """Statuses, headers, cookies and bodies of one walk, collected at all doors, are one and the same."""
    walks = {visitor.door: walk(visitor) for visitor in everywhere}
    first = walks["asgi"]
    assert len(walks) == len(DOORS) > 25
    assert len({repr(each) for each in first.values()}) > 12
    others = [
        (door, name, each[name], first[name]) for door, each in walks.items() for name in first if each[name] != first[name]
    ]
    assert others == []


def test_what_a_door_cannot_do_is_said_of_doors_that_there_are():
    """Each exception names a door and its reason, and leaves doors to run the test through."""
    for doors in CANNOT.values():
        assert doors.keys() < DOORS.keys()
        assert all(doors.values())
