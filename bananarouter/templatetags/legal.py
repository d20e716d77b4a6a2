"""What the law wants at the foot of each page: filing numbers with their official links."""

import re
from typing import NamedTuple

from django import template
from django.conf import settings

register = template.Library()

MINISTRY_URL = "https://beian.miit.gov.cn/"
POLICE_URL = "https://beian.mps.gov.cn/#/query/webSearch?code="


class Filing(NamedTuple):
    """A number, and where the authority shows it; without a link where there is none."""

    number: str
    url: str


@register.simple_tag
def filings() -> list[Filing]:
    """Return the filing numbers that are set."""
    police = settings.PUBLIC_SECURITY_NUMBER
    digits = "".join(re.findall(r"\d", police))
    found = [
        Filing(settings.ICP_NUMBER, MINISTRY_URL),
        Filing(police, POLICE_URL + digits),
        Filing(settings.GENERATIVE_AI_NUMBER, ""),
    ]
    return [filing for filing in found if filing.number]
