"""Two pages that not everybody who is signed in may see or use: one for a group, one for those who signed in just now."""

from typing import Final

from cognito_session import Session
from examples.demo.components import card, field, form, notice
from examples.demo.layout import Answer, page
from examples.demo.markup import html, joined

__all__ = ["MOST_MARBLES", "editors_page", "transfer_page"]

MOST_MARBLES: Final = 100

_DRAFTS: Final = ("A caucus race and a long tale", "Advice from a caterpillar", "The lobster quadrille")


def editors_page(me: Session, group: str) -> Answer:
    """What only editors see."""
    lead = html('<p class="lead">You are in the group <code>{group}</code>, so here are the drafts.</p>', group=group)
    drafts = joined(html("<li>{title}</li>", title=title) for title in _DRAFTS)
    return page(
        "Editors",
        joined([lead, card("Drafts", html("<ul>{each}</ul>", each=drafts), name="drafts-title")]),
        me=me,
        here="/editors",
    )


def transfer_page(me: Session, *, max_age_seconds: int, sent: int | None = None, wrong: bool = False, to: str = "") -> Answer:
    """Marbles to somebody else."""
    told = None
    if sent is not None:
        told = "1 marble is on its way." if sent == 1 else f"{sent} marbles are on their way."
    lead = html(
        '<p class="lead">You signed in within the last {most} seconds, so this is open to you.</p>', most=max_age_seconds
    )
    parts = [
        field("marbles", "Marbles", value="3", most=4, hint=f"1 to {MOST_MARBLES}", wrong=wrong),
        field("to", "To", value=to, most=64, wrong=wrong),
    ]
    problem = f"A whole number from 1 to {MOST_MARBLES}, and a name to send them to." if wrong else None
    body = joined([notice(told), lead, card(None, form("/transfer", parts, "Send", wrong=problem))])
    title = "Error: transfer" if wrong else None
    return page("Transfer marbles", body, me=me, here="/transfer", status=400 if wrong else 200, title=title)
