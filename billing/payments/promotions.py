"""Credit that is given by promotion codes.

Given credit lifts no trial's restriction (billing.ledger.LIFTS_NO_TRIAL): a code that anybody
can read somewhere proves as little about an account as the trial itself does; a payment does.
"""

import datetime as dt
from typing import Final

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.models import Account, User
from billing import ledger
from billing.models import LedgerAccount, PromotionCode, PromotionUse

# Codes that do not work: so many by a user in an hour; then none is looked at.
WRONG_MAX: Final = 10
HOUR_S: Final = 3_600
CODE_LENGTH_MAX: Final = 32


class CodeRefused(Exception):
    """The code gives nothing: unknown, not yet or no longer valid, or used up; not told which."""


class UsedBefore(Exception):
    """This account has used the code."""


class TooManyTries(Exception):
    """The caller tried too many codes that do not work: an hour's rest."""


def redeem(account: Account, code: str, *, user: User, now: dt.datetime) -> PromotionUse:
    """Give an account a code's credit, once; return the use, whose code knows the amount.

    Locks: the code, then the wallet. Raises: CodeRefused, UsedBefore, TooManyTries.
    """
    tries = f"promotion-tries:{user.pk}"
    if int(cache.get(tries) or 0) >= WRONG_MAX:
        raise TooManyTries
    try:
        return _redeem(account, code.strip().upper(), user=user, now=now)
    except (CodeRefused, UsedBefore):
        cache.add(tries, 0, HOUR_S)
        try:
            cache.incr(tries)
        except ValueError:  # it expired in between
            cache.set(tries, 1, HOUR_S)
        raise


def _redeem(account: Account, code: str, *, user: User, now: dt.datetime) -> PromotionUse:
    if not code or len(code) > CODE_LENGTH_MAX:
        raise CodeRefused
    with transaction.atomic():
        found = PromotionCode.objects.select_for_update().filter(code=code).first()
        if found is None:
            raise CodeRefused
        # Told to the account alone that used it, whatever became of the code since.
        if PromotionUse.objects.filter(code=found, account=account).exists():
            raise UsedBefore
        if not _is_valid(found, now):
            raise CodeRefused
        PromotionCode.objects.filter(pk=found.pk).update(uses=F("uses") + 1)
        try:
            use = PromotionUse.objects.create(
                code=found, account=account, used_by=f"user:{user.pk}", used_at=now
            )
        except IntegrityError as error:
            raise UsedBefore from error
        ledger.credit(
            account_id=account.pk,
            amount_nusd=found.amount_nusd,
            source=LedgerAccount.Kind.PROMOTION,
            ref=f"code-{found.pk}-{account.pk}",
            actor=f"user:{user.pk}",
        )
    return use


def _is_valid(code: PromotionCode, now: dt.datetime) -> bool:
    return code.is_active and code.uses < code.uses_max and code.starts_at <= now < code.ends_at
