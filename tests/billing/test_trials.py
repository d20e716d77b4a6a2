"""Trial money: once for each person, cheap models only, and back when its day has come."""

import asyncio
import datetime as dt
import threading

import pytest
from django.db import connection, connections, transaction

from accounts import owners
from accounts.models import Account, Change
from billing import ledger, queries, sweeper, trials
from billing.models import LedgerAccount, LedgerEntry, LedgerTransaction, Trial, Wallet
from billing.store import dialect
from tests.billing.conftest import (
    USD,
    is_postgresql,
    open_bank,
    open_charge,
    run,
    settlement,
    wallet,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean")]
NOW = dt.datetime(2026, 12, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
AMOUNT = 500_000_000
END = NOW + 14 * DAY


@pytest.fixture(autouse=True)
def terms(settings):
    settings.TRIAL_NUSD, settings.TRIAL_DAYS, settings.TRIAL_PER_NETWORK_PER_DAY = AMOUNT, 14, 3


@pytest.fixture
def newcomer():
    """Return a function that makes an account without money and returns its id."""
    made = []

    def make() -> int:
        made.append(owners.own_account(owners.register(email=f"new{len(made)}@example.com")).pk)
        return made[-1]

    return make


def digest(text):
    return text.encode().ljust(32, b"\0")


def grant(account_id, *, person=None, phone=None, network="home", now=NOW) -> Trial:
    return trials.grant(
        account_id=account_id,
        email_digest=digest(person or f"person {account_id}"),
        phone_digest=digest(phone) if phone else None,
        network_digest=digest(network),
        now=now,
    )


def is_trial(account_id) -> bool:
    return Account.objects.get(pk=account_id).is_trial


def promotion() -> int:
    """What the promotion account owns."""
    entries = LedgerEntry.objects.filter(account__kind=LedgerAccount.Kind.PROMOTION)
    return sum(entries.values_list("amount_nusd", flat=True))


def spend(call_with, account_id, nusd):
    """Pay a request of so much through a worker's bank, whole."""
    folder = call_with

    async def main(call):
        async with open_bank(folder) as bank:
            charge = await open_charge(bank, account_id, nusd)
            assert await charge.settle(settlement(nusd))

    run(main)


# Granting


def test_gives_the_amount_until_a_day_and_keeps_the_account_to_cheap_models(newcomer):
    account = newcomer()
    trial = grant(account)
    assert (trial.amount_nusd, trial.expires_at) == (AMOUNT, END)
    assert queries.balance(account).available_nusd == AMOUNT
    assert is_trial(account)
    assert promotion() == -AMOUNT
    posted = LedgerTransaction.objects.get()
    assert (posted.kind, posted.ref) == ("credit:promotion", f"trial-{account}")
    assert list(Change.objects.values_list("topic", "ref")) == [("account", str(account))]


def test_gives_nothing_when_it_is_switched_off(newcomer, settings):
    settings.TRIAL_NUSD = 0
    with pytest.raises(trials.TrialsOff):
        grant(newcomer())
    assert not Trial.objects.exists()


def test_gives_an_account_nothing_twice(newcomer):
    account = newcomer()
    grant(account)
    with pytest.raises(trials.AlreadyGiven):
        grant(account, person="somebody else", now=NOW + 400 * DAY)
    assert queries.balance(account).credit_nusd == AMOUNT


@pytest.mark.parametrize("known", [{"person": "eve"}, {"phone": "+1"}])
def test_gives_a_person_nothing_by_way_of_another_account(known, newcomer):
    grant(newcomer(), **known)
    second = newcomer()
    with pytest.raises(trials.PersonKnown):
        grant(second, network="elsewhere", now=NOW + 400 * DAY, **known)
    assert not Wallet.objects.filter(pk=second, credit_nusd__gt=0).exists()
    assert not is_trial(second)


def test_people_without_a_phone_are_not_one_person(newcomer):
    grant(newcomer())
    grant(newcomer())
    assert Trial.objects.count() == 2


def test_gives_nothing_to_an_account_that_had_money(make_wallet):
    account = make_wallet(1)
    with pytest.raises(trials.HasMoney):
        grant(account)
    assert not is_trial(account)


def test_counts_a_networks_trials_over_a_day(newcomer, settings):
    settings.TRIAL_PER_NETWORK_PER_DAY = 2
    grant(newcomer())
    grant(newcomer(), now=NOW + dt.timedelta(hours=1))
    late = newcomer()
    with pytest.raises(trials.NetworkBusy):
        grant(late, now=NOW + dt.timedelta(hours=23, minutes=59))
    grant(newcomer(), network="another", now=NOW + dt.timedelta(hours=2))
    grant(late, now=NOW + DAY)


def test_forgets_networks_that_it_does_not_count_any_more(newcomer):
    old, new = newcomer(), newcomer()
    grant(old)
    grant(new, now=NOW + DAY / 2)
    assert trials.forget_networks(now=NOW + DAY) == 1
    assert trials.forget_networks(now=NOW + DAY) == 0
    assert bytes(Trial.objects.get(pk=old).network_digest) == b""
    assert bytes(Trial.objects.get(pk=new).network_digest) == digest("home")


def together(*jobs):
    """Run jobs on threads of their own at once; return what each raised, or None."""
    barrier, raised = threading.Barrier(len(jobs)), [None] * len(jobs)

    def work(number, job):
        try:
            barrier.wait(5)
            job()
        except (trials.TrialRefused, ledger.AlreadyPosted) as error:
            raised[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number, job)) for number, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return raised


def test_of_grants_at_once_one_stands(newcomer):
    account = newcomer()
    raised = together(*[lambda: grant(account)] * 4)
    assert sorted(type(error).__name__ for error in raised) == [
        *["AlreadyGiven"] * 3,
        "NoneType",
    ]
    assert queries.balance(account).credit_nusd == AMOUNT


def test_of_one_persons_accounts_at_once_one_gets_it(newcomer):
    accounts = [newcomer() for _ in range(4)]
    raised = together(*[lambda a=a: grant(a, person="eve", network=str(a)) for a in accounts])
    assert sorted(type(error).__name__ for error in raised) == ["NoneType", *["PersonKnown"] * 3]
    assert Trial.objects.count() == 1


def test_a_network_gets_no_more_when_many_ask_at_once(newcomer):
    accounts = [newcomer() for _ in range(6)]
    raised = together(*[lambda a=a: grant(a) for a in accounts])
    assert [type(error).__name__ for error in raised].count("NetworkBusy") == 3
    assert Trial.objects.count() == 3


# Money of another source


def credit(account_id, nusd=USD, ref="paid"):
    ledger.credit(
        account_id=account_id, amount_nusd=nusd, source=LedgerAccount.Kind.CLEARING_STRIPE,
        ref=ref, actor="test",
    )  # fmt: skip


def test_money_of_another_source_opens_every_model_and_every_worker_hears_of_it(newcomer):
    account = newcomer()
    grant(account)
    Change.objects.all().delete()
    credit(account)
    assert not is_trial(account)
    assert list(Change.objects.values_list("topic", "ref")) == [("account", str(account))]
    credit(account, ref="again")
    assert Change.objects.count() == 1  # nothing changed the second time


def test_a_credit_that_is_refused_lifts_nothing(newcomer):
    account = newcomer()
    other = newcomer()
    credit(other)
    grant(account)
    with pytest.raises(ledger.AlreadyPosted):
        credit(account)
    assert is_trial(account)


def test_a_correction_is_no_money_of_another_source(newcomer, tmp_path):
    account = newcomer()
    grant(account)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 1_000)
            await charge.settle(settlement(900, state="estimated", reason="crash"))
            return charge.request_id

    request_id = run(main)
    ledger.correct(request_id=request_id, cost_nusd=100, actor="test")
    assert is_trial(account)


def test_a_trial_and_a_payment_at_once_leave_no_paid_account_restricted(newcomer):
    for number in range(6):
        account = newcomer()
        raised = together(
            lambda a=account: grant(a, network=str(a)),
            lambda a=account, n=number: credit(a, ref=f"paid {n}"),
        )
        assert raised[1] is None
        assert raised[0] is None or isinstance(raised[0], trials.HasMoney)
        assert not is_trial(account)


# The end


def test_takes_back_what_is_unspent_when_the_day_has_come(newcomer, tmp_path):
    account = newcomer()
    grant(account)
    spend(tmp_path, account, 120_000_000)
    assert trials.end_due(now=END - dt.timedelta(seconds=1)) == 0
    assert queries.balance(account).available_nusd == AMOUNT - 120_000_000
    assert trials.end_due(now=END) == 1
    assert queries.balance(account).available_nusd == 0
    assert promotion() == -120_000_000
    trial = trials.of(account)
    assert (trial.returned_nusd, trial.ended_at) == (AMOUNT - 120_000_000, END)
    assert not is_trial(account)
    assert LedgerTransaction.objects.filter(kind="trial_end").count() == 1


def test_ends_once(newcomer):
    account = newcomer()
    grant(account)
    assert trials.end_due(now=END) == 1
    assert trials.end_due(now=END + DAY) == 0
    assert not trials.end(account_id=account, now=END + DAY)
    assert LedgerTransaction.objects.filter(kind="trial_end").count() == 1


def test_an_end_that_many_workers_see_is_one(newcomer):
    account = newcomer()
    grant(account)
    raised = together(*[lambda: trials.end(account_id=account, now=END)] * 4)
    assert raised == [None] * 4
    assert queries.balance(account).available_nusd == 0
    assert promotion() == 0


def test_trial_money_counts_as_spent_first(newcomer, tmp_path):
    account = newcomer()
    grant(account)
    credit(account, 2 * USD)
    spend(tmp_path, account, 300_000_000)
    trials.end_due(now=END)
    # $2.50 less $0.30 spent, less the $0.20 that was left of the trial.
    assert queries.balance(account).available_nusd == 2 * USD
    assert trials.of(account).returned_nusd == 200_000_000


def test_takes_nothing_of_paid_money(newcomer, tmp_path):
    account = newcomer()
    grant(account)
    credit(account, 2 * USD)
    spend(tmp_path, account, 700_000_000)
    assert trials.end_due(now=END) == 1
    assert queries.balance(account).available_nusd == 1_800_000_000
    assert trials.of(account).returned_nusd == 0
    assert not LedgerTransaction.objects.filter(kind="trial_end").exists()


def test_waits_for_leased_money_and_takes_the_rest_when_it_is_back(newcomer, tmp_path):
    account = newcomer()
    grant(account)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 100_000_000)
            assert await call(lambda: trials.end_due(now=END)) == 0
            held = (await call(wallet, account)).leased_nusd
            assert held >= 100_000_000
            # What no worker holds went back at once, and nothing can be leased any more.
            assert (await call(queries.balance, account)).credit_nusd == AMOUNT
            trial = await call(trials.of, account)
            assert (trial.returned_nusd, trial.ended_at) == (AMOUNT - held, None)
            assert await call(lambda: trials.end_due(now=END)) == 0
            assert await call(ledger.audit) == []
            assert await charge.settle(settlement(60_000_000))

    run(main)
    assert is_trial(account)
    assert trials.end_due(now=END + DAY) == 1
    assert trials.of(account).returned_nusd == AMOUNT - 60_000_000
    assert queries.balance(account).available_nusd == 0
    assert promotion() == -60_000_000
    assert not is_trial(account)


def test_a_steady_payer_is_not_waited_for_once_the_trial_is_spent(newcomer, tmp_path):
    account = newcomer()
    grant(account)
    credit(account, 10 * USD)
    spend(tmp_path, account, AMOUNT)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, USD)
            assert await call(lambda: trials.end_due(now=END)) == 1
            assert await charge.settle(settlement(USD))

    run(main)
    assert queries.balance(account).available_nusd == 9 * USD


def test_requests_that_run_while_trials_end_never_leave_the_ledger_broken(newcomer, tmp_path):
    accounts = [newcomer() for _ in range(3)]
    for account in accounts:
        grant(account)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            held = [await open_charge(bank, account, 10_000_000) for account in accounts]
            ending = asyncio.gather(*[call(lambda: trials.end_due(now=END)) for _ in range(6)])
            for charge in held:
                assert await charge.settle(settlement(10_000_000))
            await ending
            assert await call(ledger.audit) == []

    run(main)
    trials.end_due(now=END)
    for account in accounts:
        assert queries.balance(account).available_nusd == 0
        assert trials.of(account).returned_nusd == AMOUNT - 10_000_000
    assert promotion() == -30_000_000


def test_an_end_that_breaks_off_leaves_everything_as_it_was(newcomer):
    account = newcomer()
    grant(account)
    with transaction.atomic():
        trials.end(account_id=account, now=END)
        transaction.set_rollback(True)
    assert queries.balance(account).available_nusd == AMOUNT
    assert trials.of(account).ended_at is None
    assert is_trial(account)
    assert trials.end_due(now=END) == 1


@pytest.mark.postgresql
def test_a_locked_wallet_does_not_keep_the_others_waiting(newcomer):
    assert is_postgresql()
    locked, free = newcomer(), newcomer()
    grant(locked)
    grant(free, now=NOW + dt.timedelta(minutes=1))
    held, release = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Wallet.objects.select_for_update().get(pk=locked)
            held.set()
            release.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(5)
        assert trials.end_due(now=END + DAY) == 1
        assert trials.of(free).ended_at is not None
    finally:
        release.set()
        thread.join(10)
    assert trials.end_due(now=END + DAY) == 1


def test_the_sweeper_of_a_worker_ends_them(newcomer, tmp_path):
    account = newcomer()
    grant(account, now=dt.datetime.now(dt.UTC) - 14 * DAY)
    swept = sweeper.Sweeper(ttl_s=1, folder=tmp_path, store=dialect().Store())
    swept.start()
    try:
        for _ in range(300):
            if trials.of(account).ended_at:
                break
            threading.Event().wait(0.02)
    finally:
        assert swept.stop(5)
    assert queries.balance(account).available_nusd == 0


def test_what_workers_hold_may_be_trial_money_that_is_spent_yet(newcomer, tmp_path):
    """Trial money is spent first: of an account with $10 more, a request that runs may spend it."""
    account = newcomer()
    grant(account)
    credit(account, 10 * USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 2 * AMOUNT)
            assert await call(lambda: trials.end_due(now=END)) == 0
            assert (await call(trials.of, account)).returned_nusd == 0
            assert await charge.settle(settlement(AMOUNT - 1))

    run(main)
    assert trials.end_due(now=END) == 1
    assert trials.of(account).returned_nusd == 1
    assert queries.balance(account).available_nusd == 10 * USD
