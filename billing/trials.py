"""A little money for new people: given once to each person, for cheap models, until a day.

It counts as spent first: what is left of it at its end is its amount less all that requests
ever cost. Until money of another source comes, the account is kept to cheap models
(accounts.restrictions); billing.ledger lifts that with the first such posting.
"""

import datetime as dt
import logging

from django.conf import settings
from django.db import Error, transaction
from django.db.models import F

from accounts import restrictions
from billing import holds, ledger
from billing.models import LedgerAccount, Trial, Wallet

logger = logging.getLogger(__name__)

TRIAL_END = "trial_end"
ACTOR = "trial"
# Grants of one network are counted over this time; then its digest has no more use.
NETWORK_PERIOD = dt.timedelta(days=1)
ENDED_MAX = 200


class TrialRefused(Exception):
    """No trial is given; the class says why."""


class TrialsOff(TrialRefused):
    """This deployment gives none."""


class AlreadyGiven(TrialRefused):
    """The account has had its trial."""


class PersonKnown(TrialRefused):
    """The person has had a trial: the address or the phone is known from another account."""


class HasMoney(TrialRefused):
    """The account was credited before: it is not new."""


class NetworkBusy(TrialRefused):
    """Too many trials went to this network today."""


def grant(
    *,
    account_id: int,
    email_digest: bytes,
    phone_digest: bytes | None,
    network_digest: bytes,
    now: dt.datetime,
) -> Trial:
    """Give an account its trial, once for each person.

    Digests are keyed (accounts.persons). Of grants that come together one is decided after the
    other. Locks: the promotion account, then the wallet. Raises: TrialRefused.
    """
    if settings.TRIAL_NUSD <= 0:
        raise TrialsOff
    with transaction.atomic():
        promotion = ledger.account_of(LedgerAccount.Kind.PROMOTION)
        # Not FOR UPDATE: entries that name the account must not wait for this.
        LedgerAccount.objects.select_for_update(no_key=True).get(pk=promotion.pk)
        ledger.open_wallet(account_id)
        wallet = Wallet.objects.select_for_update().get(pk=account_id)
        _refuse_known(account_id, email_digest, phone_digest)
        if wallet.credit_nusd:
            raise HasMoney
        _refuse_busy(network_digest, now)
        trial = Trial.objects.create(
            account_id=account_id,
            amount_nusd=settings.TRIAL_NUSD,
            granted_at=now,
            expires_at=now + dt.timedelta(days=settings.TRIAL_DAYS),
            email_digest=email_digest,
            phone_digest=phone_digest,
            network_digest=network_digest,
        )
        ledger.credit(
            account_id=account_id,
            amount_nusd=trial.amount_nusd,
            source=LedgerAccount.Kind.PROMOTION,
            ref=f"trial-{account_id}",
            actor=ACTOR,
        )
        restrictions.set_trial(account_id, is_trial=True)
    return trial


def _refuse_known(account_id: int, email_digest: bytes, phone_digest: bytes | None) -> None:
    if Trial.objects.filter(pk=account_id).exists():
        raise AlreadyGiven
    known = Trial.objects.filter(email_digest=email_digest)
    if phone_digest is not None:
        known = known | Trial.objects.filter(phone_digest=phone_digest)
    if known.exists():
        raise PersonKnown


def _refuse_busy(network_digest: bytes, now: dt.datetime) -> None:
    recent = Trial.objects.filter(
        network_digest=network_digest, granted_at__gt=now - NETWORK_PERIOD
    )
    if recent.count() >= settings.TRIAL_PER_NETWORK_PER_DAY:
        raise NetworkBusy


def of(account_id: int) -> Trial | None:
    """Return an account's trial, whatever became of it."""
    return Trial.objects.filter(pk=account_id).first()


def end_due(*, now: dt.datetime) -> int:
    """End trials whose day has come, a bounded number in each call; return how many ended.

    A trial that cannot be ended now waits for the next call. Raises: django.db.Error when the
    database cannot be asked.
    """
    forget_networks(now=now)
    due = Trial.objects.filter(ended_at=None, expires_at__lte=now).order_by("expires_at")
    ended = 0
    for account_id in list(due.values_list("pk", flat=True)[:ENDED_MAX]):
        try:
            ended += end(account_id=account_id, now=now)
        except Error:
            # A wallet that is locked, say: the others must not wait for it.
            logger.warning("a trial could not be ended", extra={"account": account_id})
    return ended


def end(*, account_id: int, now: dt.datetime) -> bool:
    """Take back what is unspent of a trial whose day has come; True when it is over.

    False: nothing is due, or workers hold credit of the wallet, all of which may yet be spent.
    What is certainly unspent goes back at once, the rest when they have returned it.
    Locks: the wallet.
    """
    with transaction.atomic():
        wallet = Wallet.objects.select_for_update().get(pk=account_id)
        trial = Trial.objects.filter(pk=account_id, ended_at=None, expires_at__lte=now).first()
        if trial is None:
            return False
        # Not the whole debit: what was refunded was not spent.
        unspent = max(0, trial.amount_nusd - wallet.spent_nusd - trial.returned_nusd)
        taken = max(0, min(unspent - wallet.leased_nusd, _available(wallet)))
        if taken:
            _take_back(trial, taken)
        is_over = wallet.leased_nusd == 0 or unspent == 0
        Trial.objects.filter(pk=account_id).update(
            returned_nusd=F("returned_nusd") + taken, ended_at=now if is_over else None
        )
        if is_over:
            holds.lift_trial(account_id)
    return is_over


def _available(wallet: Wallet) -> int:
    taken = wallet.debit_nusd + wallet.leased_nusd + wallet.reserved_nusd
    return wallet.credit_nusd - taken


def _take_back(trial: Trial, amount_nusd: int) -> None:
    owner = ledger.account_of(LedgerAccount.Kind.WALLET, owner_id=trial.account_id)
    promotion = ledger.account_of(LedgerAccount.Kind.PROMOTION)
    ledger.post(
        kind=TRIAL_END,
        # Its parts differ in how much went back before them.
        ref=f"trial-{trial.account_id}-{trial.returned_nusd}",
        legs=(
            ledger.Leg(account=owner, amount_nusd=-amount_nusd),
            ledger.Leg(account=promotion, amount_nusd=amount_nusd),
        ),
        actor=ACTOR,
    )


def forget_networks(*, now: dt.datetime) -> int:
    """Empty the digests of networks that are not counted any more; return how many."""
    # Greater, not unequal: the index then passes over those that are empty already.
    old = Trial.objects.filter(network_digest__gt=b"", granted_at__lte=now - NETWORK_PERIOD)
    return old.update(network_digest=b"")
