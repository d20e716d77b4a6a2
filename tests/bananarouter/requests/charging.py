"""What requests cost in these tests."""

from billing.models import Charge


def charge(request_id, account, **fields) -> Charge:
    return Charge.objects.create(
        request_id=request_id, lease_id=1, wallet_id=account.pk,
        **{"hold_nusd": 900_000, "state": "settled", "reason": "normal", **fields},
    )  # fmt: skip
