"""What the staff site noted about a person, by whichever row it stands at."""

import contextlib
from collections.abc import Iterable
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from accounts.personal_data import Subject, stores


def about(subject: Subject) -> QuerySet[LogEntry]:
    """Return what staff did to a user or to any declared row of a person, and a user as staff."""
    found = Q(user_id=subject.user_id)
    kinds = LogEntry.objects.exclude(content_type=None).order_by().values("content_type")
    for kind in ContentType.objects.filter(pk__in=kinds):
        model = kind.model_class()
        if model is None:  # a table of an app that is gone
            continue
        noted = LogEntry.objects.filter(content_type=kind).order_by()
        ids = set(noted.values_list("object_id", flat=True))
        mine = {
            str(pk)
            for store in stores()
            if store.model is model._meta.concrete_model and store.model is not LogEntry
            for pk in store.rows(subject)
            .filter(pk__in=_keys(model, ids))
            .values_list("pk", flat=True)
        }
        found |= Q(content_type=kind, object_id__in=mine & ids)
    return LogEntry.objects.filter(found)


def _keys(model: type[Model], ids: Iterable[str | None]) -> list[Any]:
    """Return primary keys as a table has them, of those that the staff log writes as text."""
    found = []
    for text in ids:
        with contextlib.suppress(ValidationError):
            found.append(model._meta.pk.to_python(text))
    return found
