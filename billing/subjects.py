"""Which rows of money are a person's, and what of them names the person."""

from typing import Any

from django.db.models import Model, Q, QuerySet

from accounts.models import Account
from accounts.personal_data import Rows, Subject
from billing import models


def orders(subject: Subject) -> QuerySet[models.Order]:
    """Return the orders of a person's accounts, and those that the person made elsewhere."""
    mine = Q(account_id__in=subject.owned)
    if subject.counts_elsewhere:
        mine |= Q(created_by_id=subject.user_id)
    return models.Order.objects.filter(mine).order_by("pk")


def fapiaos(subject: Subject) -> QuerySet[models.FapiaoRequest]:
    """Return the fapiao of a person's orders, and those that the person asked for elsewhere."""
    mine = Q(order__in=orders(subject).order_by().values("pk"))
    if subject.counts_elsewhere:
        mine |= Q(asked_by_id=subject.user_id)
    return models.FapiaoRequest.objects.filter(mine)


def nameless(facts: dict[str, Any]) -> dict[str, Any]:
    """Return a paper's facts without the buyer's identity.

    Country and tax stay; a tax number only where it is why no tax was charged (reverse charge,
    Directive 2006/112/EC, Art. 226).
    """
    buyer = facts.get("buyer", {})
    kept = {"name": "", "address": "", "country": buyer.get("country", ""), "email": ""}
    kept["tax_id"] = buyer.get("tax_id", "") if facts.get("is_reverse_charge") else ""
    return {**facts, "buyer": kept, "account": ""}


def unsaid(notice: dict[str, Any]) -> dict[str, Any]:
    """Return a notice without the tokens that lead to its payer."""
    return {**notice, "card_fingerprint": "", "authentication": {}, "method": {}}


def charges(subject: Subject) -> QuerySet[models.Charge]:
    """Return what a person's requests cost; found through leases, which have the index."""
    leases = models.Lease.objects.filter(wallet_id__in=subject.reach)
    mine = subject.made(account="wallet_id", key="api_key_id")
    return models.Charge.objects.filter(mine, lease_id__in=leases.values("pk"))


def postings(subject: Subject) -> QuerySet[models.LedgerTransaction]:
    """Return the postings that touch a person's own accounts."""
    mine = models.LedgerEntry.objects.filter(account__owner_id__in=subject.owned)
    return models.LedgerTransaction.objects.filter(pk__in=mine.values("transaction")).order_by("pk")


def notices(subject: Subject) -> QuerySet[models.WebhookEvent]:
    """Return what processors told of a person's orders and cards."""
    numbers = [pk.hex for pk in orders(subject).values_list("pk", flat=True)]
    ids = Account.objects.filter(pk__in=subject.owned).values_list("public_id", flat=True)
    cards = Q(notice__method__account__in=[str(public_id) for public_id in ids])
    return models.WebhookEvent.objects.filter(Q(notice__order_ref__in=numbers) | cards)


def statement_rows(subject: Subject) -> QuerySet[models.StatementRow]:
    """Return the rows of processors' statements about a person's payments."""
    paid = orders(subject).exclude(payment_ref="")
    return models.StatementRow.objects.filter(payment_ref__in=paid.order_by().values("payment_ref"))


def of_account(model: type[Model], path: str = "account_id") -> Rows:
    """Return how to find a model's rows by the accounts that a person owns."""
    return lambda subject: QuerySet(model).filter(**{f"{path}__in": subject.owned})


def of_order(model: type[Model]) -> Rows:
    """Return how to find a model's rows by the orders of a person."""
    return lambda subject: QuerySet(model).filter(order__in=orders(subject).order_by().values("pk"))
