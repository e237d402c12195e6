"""Parts that several pages are made of: a labelled field, a form, a notice, a card.

A field always has its label, and what is wrong with it is tied to it (WCAG 2.2, 3.3.1 and 3.3.2). Forms are POSTs; that
they come from our own pages is checked by the library.
"""

from typing import Final

from examples.demo.markup import Html, html, joined

__all__ = ["button_form", "card", "field", "form", "hidden", "notice", "problem"]

_FIELD: Final = """<div class="field"><label for="{at}">{label}</label>
<input id="{at}" name="{name}" type="{kind}" value="{value}"{completion}{more}{described}>{hint}</div>
"""
_FORM: Final = """{problem}<form method="post" action="{action}" class="stack">
{body}<div class="actions"><button>{button}</button>{beside}</div>
</form>"""
_CARD: Final = """<section class="card"{labelled}>
{heading}{body}
</section>"""


def field(
    name: str,
    label: str,
    *,
    kind: str = "text",
    value: str = "",
    completion: str | None = None,
    most: int = 128,
    wrong: bool = False,
    hint: str | None = None,
    required: bool = True,
    at: str | None = None,
) -> Html:
    """A text field, under the id `at` where its name is taken on the page; `completion` is autocomplete's word (HTML
    4.10.18.7), `most` the longest text, `wrong` after a refusal.
    """
    at = at or name
    described = [*(["problem"] if wrong else []), *([f"{at}-hint"] if hint else [])]
    plain = Html(' autocapitalize="none" spellcheck="false"') if kind in ("text", "email") else None
    digits = Html(' inputmode="numeric"') if completion == "one-time-code" else None
    return html(
        _FIELD,
        at=at,
        name=name,
        label=label,
        kind=kind,
        value=value,
        completion=html(' autocomplete="{word}"', word=completion) if completion else None,
        more=[plain, digits, html(' maxlength="{most}"', most=most), Html(" required") if required else None],
        described=[
            html(' aria-describedby="{ids}"', ids=" ".join(described)) if described else None,
            Html(' aria-invalid="true"') if wrong else None,
        ],
        hint=html('<p class="hint" id="{at}-hint">{hint}</p>', at=at, hint=hint) if hint else None,
    )


def hidden(name: str, value: str) -> Html:
    """A field that nobody sees."""
    return html('<input type="hidden" name="{name}" value="{value}">\n', name=name, value=value)


def form(action: str, parts: list[Html], button: str, *, wrong: str | None = None, beside: Html | None = None) -> Html:
    """A form with one button; `wrong` is what the last attempt came to, `beside` stands next to the button."""
    return html(_FORM, action=action, body=joined(parts), button=button, problem=problem(wrong), beside=beside)


def button_form(
    action: str, button: str, *, of_what: str | None = None, kind: str = "quiet", fields: dict[str, str] | None = None
) -> Html:
    """One button that changes something; `of_what` is for those who hear the button without what stands around it."""
    parts = [hidden(name, value) for name, value in (fields or {}).items()]
    template = '<form method="post" action="{action}">{parts}<button class="{kind}">{button}{of_what}</button></form>'
    unseen = html('<span class="unseen"> {of_what}</span>', of_what=of_what) if of_what else None
    return html(template, action=action, parts=parts, kind=kind, button=button, of_what=unseen)


def problem(text: str | None) -> Html | None:
    """What went wrong, announced as soon as the page is there."""
    return html('<p class="problem" role="alert" id="problem">{text}</p>\n', text=text) if text else None


def notice(text: str | None) -> Html | None:
    """What was done."""
    return html('<p class="notice" role="status">{text}</p>\n', text=text) if text else None


def card(heading: str | None, *body: object, name: str | None = None, level: int = 2) -> Html:
    """A part of the page, with a heading that names it."""
    title = None
    if heading:
        template = '<h{level} id="{name}">{heading}</h{level}>\n' if name else "<h{level}>{heading}</h{level}>\n"
        title = html(template, level=level, name=name, heading=heading)
    labelled = html(' aria-labelledby="{name}"', name=name) if heading and name else None
    return html(_CARD, labelled=labelled, heading=title, body=joined(body))
