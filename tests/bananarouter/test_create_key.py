from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts import keys
from accounts.models import ApiKey, Membership, User
from billing.models import Budget, LedgerEntry, Wallet

pytestmark = pytest.mark.django_db


def run(name, *arguments):
    out, err = StringIO(), StringIO()
    call_command(name, *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_create_key_makes_user_account_credit_and_key():
    out, err = run(
        "create_key", "--email", "bob@example.com", "--credit-usd", "12.50",
        "--name", "laptop", "--models", "demo/*", "openai/gpt-5", "--limit-usd", "1.25",
    )  # fmt: skip
    text = out.splitlines()[-1]
    key = keys.find(text)
    assert text not in err
    assert (key.name, key.allowed_models) == ("laptop", ["demo/*", "openai/gpt-5"])
    assert key.created_by.email == "bob@example.com"
    membership = Membership.objects.get(user=key.created_by)
    assert (membership.account_id, membership.role) == (key.account_id, "owner")
    wallet = Wallet.objects.get(pk=key.account_id)
    assert wallet.credit_nusd - wallet.debit_nusd == 12_500_000_000
    assert sum(LedgerEntry.objects.values_list("amount_nusd", flat=True)) == 0
    key.refresh_from_db()
    assert key.has_budget
    assert Budget.objects.get(api_key=key).limit_nusd == 1_250_000_000


def test_create_key_again_credits_the_same_account_again():
    for _ in range(2):
        run("create_key", "--email", "bob@example.com", "--credit-usd", "1")
    first, second = ApiKey.objects.all()
    assert first.account_id == second.account_id
    assert Wallet.objects.get(pk=first.account_id).credit_nusd == 2_000_000_000
    assert not first.has_budget


def test_create_key_makes_a_management_key_on_demand():
    made = [run("create_key", "--email", "a@example.com", "--credit-usd", "0", *more)[0]
            for more in ([], ["--management"])]  # fmt: skip
    assert [keys.find(text.split()[-1]).is_management for text in made] == [False, True]


def test_create_key_without_credit_has_an_empty_wallet():
    run("create_key", "--email", "bob@example.com", "--credit-usd", "0")
    assert Wallet.objects.get().credit_nusd == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--email", "nobody", "--credit-usd", "1"],
        ["--email", "a@example.com", "--credit-usd", "much"],
        ["--email", "a@example.com", "--credit-usd", "-1"],
        ["--email", "a@example.com", "--credit-usd", "NaN"],
        ["--email", "a@example.com"],
        ["--email", "a@example.com", "--credit-usd", "1", "--models", "a*b"],
        ["--email", "a@example.com", "--credit-usd", "1", "--management", "--models", "a"],
        ["--email", "a@example.com", "--credit-usd", "1", "--management", "--limit-usd", "1"],
    ],
)
def test_create_key_refuses_nonsense_and_leaves_nothing(arguments):
    with pytest.raises(CommandError):
        run("create_key", *arguments)
    assert not User.objects.exists()
    assert not ApiKey.objects.exists()


def test_create_key_leaves_nothing_without_a_pepper(settings):
    settings.KEY_PEPPERS = {1: ""}
    with pytest.raises(CommandError, match="KEY_PEPPER"):
        run("create_key", "--email", "a@example.com", "--credit-usd", "1")
    assert not User.objects.exists()
    assert not Wallet.objects.exists()
