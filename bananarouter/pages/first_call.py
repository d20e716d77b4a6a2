"""A first call that works: the models that an account can chat with, and one to begin with."""

from django.db.models import F, QuerySet

from accounts.models import Account
from billing.models import RateCard
from billing.usage import UnitClass
from routing.models import Channel, Endpoint


def has_demo_vendor() -> bool:
    """Tell whether this deployment runs the simulated vendor."""
    return Channel.objects.filter(is_demo=True, is_enabled=True).exists()


def chat_endpoints(account: Account | None) -> QuerySet[Endpoint]:
    """Return the endpoints that an account can reach and that are paid for writing text.

    None: those of any account.
    """
    writing = RateCard.objects.filter(rates__unit_class=UnitClass.OUTPUT)
    rows = Endpoint.objects.filter(
        is_enabled=True,
        model__is_enabled=True,
        channel__is_enabled=True,
        slug__in=writing.values("endpoint"),
    )
    return rows if account is None else rows.filter(channel__is_demo=account.is_demo)


def model_for(account: Account | None) -> str | None:
    """Return a chat model that the account can reach, None when there is none.

    Small ones come first: cheap to try. Without an account, real ones before simulated ones.
    """
    return (
        chat_endpoints(account)
        .filter(channel__protocol=Channel.Protocol.OPENAI)
        .order_by(
            "channel__is_demo", F("model__output_tokens_max").asc(nulls_last=True), "model__slug"
        )
        .values_list("model__slug", flat=True)
        .first()
    )
