"""What the legal documents are called."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from bananarouter.pages.legal.documents import Document

TITLES: dict[str, str | Promise] = {
    Document.PRIVACY: _("Privacy policy"),
    Document.TERMS: _("Terms of service"),
    Document.ACCEPTABLE_USE: _("Acceptable use policy"),
}
