"""What a notice says: one template for all ways, in the language of who reads it.

A template of templates/notices is text: the title, then paragraphs, with a blank line between
them; a line that begins with `> ` names the link. Mail, text message and inbox are made of it.
"""

from dataclasses import dataclass

from django.conf import settings
from django.template.base import Template
from django.template.context import Context
from django.template.loader import get_template
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import Notification, User

CHINESE = "zh-hans"
LINK_MARK = "> "


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A notice in the language that is active."""

    title: str
    paragraphs: tuple[str, ...]
    action: str
    url: str

    @property
    def text(self) -> str:
        """The body of a mail without HTML."""
        parts = [*self.paragraphs, f"{self.action}:\n{self.url}", settings.OPERATOR_NAME]
        return "\n\n".join(parts)


def language_of(user: User) -> str:
    """Return the language that we write to a user in; one query where none is known."""
    if user.language in dict(settings.LANGUAGES):
        return user.language
    is_chinese = user.memberships.filter(account__country="CN").exists()
    return CHINESE if is_chinese else settings.LANGUAGE_CODE


def of(notice: Notification) -> Words:
    """Return a notice's words in the language that is active."""
    template: Template = get_template(f"notices/{notice.name}.txt").template  # type: ignore[attr-defined]
    # No markup: what shows it as HTML escapes it there.
    text = template.render(Context(notice.facts, autoescape=False, use_l10n=True))
    title, *parts = [part for block in text.split("\n\n") if (part := " ".join(block.split()))]
    actions = [part.removeprefix(LINK_MARK) for part in parts if part.startswith(LINK_MARK)]
    return Words(
        title=title,
        paragraphs=tuple(part for part in parts if not part.startswith(LINK_MARK)),
        action=actions[0] if actions else _("Open BananaRouter"),
        url=settings.PUBLIC_URL + notice.path,
    )


def html(words: Words) -> str:
    """Return the body of a mail as HTML, in the language that is active."""
    told = {
        "words": words,
        "language": translation.get_language(),
        "operator": settings.OPERATOR_NAME,
        "preferences_url": f"{settings.PUBLIC_URL}/settings/notifications",
    }
    return get_template("notices/mail.html").render(told)
