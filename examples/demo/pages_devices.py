"""Where somebody is signed in, and the buttons that end it: this one, another one, all others, all."""

from typing import Final

from cognito_session import Session, SessionInfo
from examples.demo.components import button_form, card, notice
from examples.demo.layout import Answer, page
from examples.demo.markup import Html, html, joined
from examples.demo.pages_profile import instant
from examples.demo.tally import counted

__all__ = ["devices_page"]

_DONE: Final = {
    "one": "That session has ended, and its tokens are worth nothing any more.",
    "gone": "That session had ended already.",
    "others": "All your other sessions have ended.",
}
_DEVICE: Final = """<li class="card device"{current}><div>
<h2>{device}{badge}</h2>
<p class="hint">Signed in {created}<br>Last seen {seen}</p>
</div>{button}</li>
"""
_BADGE: Final = Html(' <span class="badge">this one</span>')


def devices_page(me: Session, devices: list[SessionInfo], done: str | None) -> Answer:
    """The list, newest first, this one marked."""
    listed = joined(_device(each) for each in devices)
    others = sum(not each.current for each in devices)
    count = html('<p class="lead">You have {count}.</p>', count=counted(len(devices), "session"))
    ways = [
        button_form("/sign-out", "Sign out all others", fields={"where": "elsewhere", "return_to": "/devices?done=others"})
        if others
        else None,
        button_form("/sign-out", "Sign out everywhere", kind="danger", fields={"where": "everywhere"}),
    ]
    why = html("<p>Everywhere ends this session too, and Cognito's own sign-in in this browser.</p>")
    all_of_them = card("All at once", why, html('<div class="actions">{ways}</div>', ways=ways), name="all-title")
    body = joined([notice(_DONE.get(done or "")), count, html('<ul class="devices">{listed}</ul>', listed=listed), all_of_them])
    return page("Devices", body, me=me, here="/devices")


def _device(each: SessionInfo) -> Html:
    name = each.device or "A browser that did not say what it is"
    button = None if each.current else button_form("/devices/sign-out", "Sign out", of_what=name, fields={"sid": each.sid})
    return html(
        _DEVICE,
        current=Html(' aria-current="true"') if each.current else None,
        device=name,
        badge=_BADGE if each.current else None,
        created=instant(each.created_at),
        seen=instant(each.last_seen_at),
        button=button or button_form("/sign-out", "Sign out here"),
    )
