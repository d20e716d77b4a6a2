"""Links to tracked requests that cannot be guessed: signed, each for one purpose.

The word in a mail's subject is another one than that of the page: servers on the way write
subjects into their logs, and whoever reads those may add to a request but not read it.
"""

import base64
import re
import uuid

from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import ContactRequest, User

TRACK_SALT = "accounts.contact.track"
PROVE_SALT = "accounts.contact.prove"
FORM_SALT = "accounts.contact.form"
SUBJECT_SALT = "accounts.contact.subject"
# A link that proves an account is as good as that mailbox: not forever.
PROVE_AGE_S = 3 * 24 * 3600
FORM_AGE_S = 24 * 3600
MAC_BYTES = 10
_SUBJECT = re.compile(r"\[#([A-Za-z0-9_-]{35})\]")


def track(request: ContactRequest) -> str:
    """Return the word of the page that shows a request."""
    return signing.Signer(salt=TRACK_SALT, sep=".").sign(request.public_id.hex)


def tracked(word: str) -> ContactRequest | None:
    """Return the request of such a word, None for a forged one."""
    try:
        public_id = signing.Signer(salt=TRACK_SALT, sep=".").unsign(word)
    except signing.BadSignature:
        return None
    return _find(uuid.UUID(hex=public_id))


def prove(request: ContactRequest, user: User) -> str:
    """Return a word which shows that its holder reads the mail of `user`."""
    return signing.dumps([request.public_id.hex, user.pk, user.email], salt=PROVE_SALT)


def proven(word: str) -> tuple[ContactRequest, User] | None:
    """Return request and user of such a word; None when forged, too old, or the address changed."""
    try:
        public_id, user_id, email = signing.loads(word, salt=PROVE_SALT, max_age=PROVE_AGE_S)
    except signing.BadSignature:
        return None
    request = _find(uuid.UUID(hex=public_id))
    user = User.objects.filter(pk=user_id, email=email, is_active=True).first()
    return (request, user) if request and user else None


def form() -> str:
    """Return a new id for a form, so that sending it twice opens one request."""
    return signing.dumps(uuid.uuid4().hex, salt=FORM_SALT)


def form_id(word: str) -> uuid.UUID | None:
    """Return the id of such a word; None when forged or too old."""
    try:
        return uuid.UUID(hex=signing.loads(word, salt=FORM_SALT, max_age=FORM_AGE_S))
    except signing.BadSignature:
        return None


def subject(request: ContactRequest) -> str:
    """Return the mark in the subjects of our mails by which replies find their request."""
    return f"[#{_encode(request.public_id.bytes + _mac(request.public_id))}]"


def in_subject(text: str) -> ContactRequest | None:
    """Return the request whose mark stands in a text, None without a true one."""
    for word in _SUBJECT.findall(text):
        raw = base64.urlsafe_b64decode(word + "=")
        public_id = uuid.UUID(bytes=raw[:16])
        if constant_time_compare(raw[16:], _mac(public_id)):
            return _find(public_id)
    return None


def _mac(public_id: uuid.UUID) -> bytes:
    found = salted_hmac(SUBJECT_SALT, public_id.bytes, algorithm="sha256").digest()
    return found[:MAC_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _find(public_id: uuid.UUID) -> ContactRequest | None:
    return ContactRequest.objects.filter(public_id=public_id).first()
