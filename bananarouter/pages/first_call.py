"""A first call that works: a model that an account can reach, and the curl line for it."""

from django.db.models import F

from accounts.models import Account
from routing.models import Channel, Endpoint


def has_demo_vendor() -> bool:
    """Tell whether this deployment runs the simulated vendor."""
    return Channel.objects.filter(is_demo=True, is_enabled=True).exists()


def model_for(account: Account) -> str | None:
    """Return a chat model that the account can reach, None when there is none.

    A known limit of output marks a model that writes text; small ones come first: cheap to try.
    """
    return (
        Endpoint.objects.filter(
            is_enabled=True,
            model__is_enabled=True,
            channel__is_enabled=True,
            channel__is_demo=account.is_demo,
            channel__protocol=Channel.Protocol.OPENAI,
        )
        .exclude(model__slug__contains="embed")
        .order_by(F("model__output_tokens_max").asc(nulls_last=True), "model__slug")
        .values_list("model__slug", flat=True)
        .first()
    )
