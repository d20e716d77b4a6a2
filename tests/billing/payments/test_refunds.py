import dataclasses
import datetime as dt
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import ledger, trials, wallets
from billing.models import Debt, LedgerTransaction, Order, Refund, Suspense, Wallet, WebhookEvent
from billing.payments import applying, healing, refund_rules, refunds, returning
from billing.processors import base
from tests import factories
from tests.billing.payments import cashier, desk
from tests.billing.payments.cashier import CENT, DAY, NOW, USD, pay, spend, sums, tell

STAFF = refunds.Terms(is_staff=True)
FORCED = refunds.Terms(is_staff=True, is_forced=True)


@pytest.fixture(autouse=True)
def configured(request, settings):
    settings.PAYMENTS = cashier.payments()
    yield
    if request.node.get_closest_marker("django_db"):
        assert ledger.audit() == []


@pytest.fixture
def alice(db):
    return factories.account_of(factories.user("alice"))


def wallet(account) -> Wallet:
    return Wallet.objects.get(pk=account.pk)


def available(account) -> int:
    return wallets.available(wallet(account))


def ask(order, minor, *, terms=None, now=NOW) -> Refund:
    return refunds.ask(order, minor, reason="unspent", actor="user:1", now=now, terms=terms)


def arrive(refund, *, kind="refunded", **facts) -> str:
    """The processor tells of a refund of ours."""
    told = {"refund_id": refund.id.hex, "refund_ref": f"re_{refund.id.hex}",
            "refund_minor": refund.amount_minor, "currency": refund.order.currency}  # fmt: skip
    return tell(refund.order, kind, **(told | facts))


@pytest.mark.django_db
def test_the_wallet_pays_when_the_refund_is_asked_for(alice):
    order = pay(alice)
    refund = ask(order, 400)
    assert (refund.state, refund.wallet_nusd, refund.owed_nusd) == ("asked", 4 * USD, 0)
    assert available(alice) == 6 * USD
    order.refresh_from_db()
    assert (order.state, order.refunded_minor) == ("part_refunded", 400)
    assert sums() == {"clearing:stripe USD": -6 * USD, "wallet USD": 6 * USD}
    assert arrive(refund) == "applied"
    assert arrive(refund) == "repeated"
    refund.refresh_from_db()
    assert (refund.state, refund.next_check_at) == ("succeeded", None)
    assert LedgerTransaction.objects.filter(kind="refund", ref=refund.id.hex).count() == 1
    assert available(alice) == 6 * USD


@pytest.mark.django_db
def test_a_whole_refund_of_yuan_with_tax_leaves_nothing_in_three_parts(alice):
    order = pay(alice, minor=10_001, tax_minor=601, processor="alipay")
    for minor in (3_333, 3_333, 3_936):
        arrive(ask(order, minor))
    order.refresh_from_db()
    assert (order.state, order.refunded_minor) == ("refunded", 10_602)
    assert sums() == {}
    parts = order.refunds.order_by("created_at", "pk")
    assert sum(part.tax_minor for part in parts) == 601
    assert sum(part.wallet_nusd for part in parts) == order.credit_nusd


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("minor", "rule"), [(0, "amount"), (-5, "amount"), (1_001, "amount"), (701, "spent")]
)
def test_more_than_is_there_is_refused(alice, minor, rule):
    order = pay(alice)
    spend(alice, 3 * USD)
    with pytest.raises(refund_rules.RefundRefused, match=rule):
        ask(order, minor)
    assert not Refund.objects.exists()
    assert available(alice) == 7 * USD
    assert ask(order, 700).wallet_nusd == 7 * USD


@pytest.mark.django_db
def test_a_form_that_is_sent_twice_is_one_refund(alice):
    order = pay(alice)
    terms = refunds.Terms(refunded_minor=0)
    ask(order, 300, terms=terms)
    with pytest.raises(refund_rules.RefundRefused, match="changed"):
        ask(order, 300, terms=terms)
    assert Refund.objects.count() == 1


@pytest.mark.django_db
def test_one_yes_sends_several_orders_back_once_and_all_or_none(alice):
    orders = [pay(alice), pay(alice, minor=2_000)]
    form_id, now = uuid.uuid4(), NOW

    def all_of(*parts):
        return refunds.ask_all(
            alice, parts, reason="unspent", actor="user:1", form_id=form_id, now=now
        )

    with pytest.raises(refund_rules.RefundRefused, match="amount"):
        all_of((orders[0], 1_000), (orders[1], 2_001))
    assert not refunds.is_asked(alice, form_id)
    assert available(alice) == 30 * USD
    first = all_of((orders[0], 1_000), (orders[1], 2_000))
    assert all_of((orders[0], 1_000), (orders[1], 2_000)) == first
    assert refunds.is_asked(alice, form_id)
    assert not refunds.is_asked(factories.account_of(factories.user("bob")), form_id)
    assert available(alice) == 0


@pytest.mark.django_db
def test_a_form_of_ones_own_that_is_sent_twice_is_one_refund(alice):
    order, terms = pay(alice), refunds.Terms(form_id=uuid.uuid4())
    assert ask(order, 400, terms=terms) == ask(order, 400, terms=terms)
    assert available(alice) == 6 * USD


@pytest.mark.django_db
def test_only_what_was_paid_can_go_back(alice):
    with pytest.raises(refund_rules.RefundRefused, match="state"):
        ask(cashier.order(alice), 100)


@pytest.mark.django_db
def test_a_frozen_wallet_gives_nothing_back_by_itself(alice):
    order = pay(alice)
    wallets.set_frozen([alice.pk], is_frozen=True)
    assert refund_rules.unspent(alice) == []
    with pytest.raises(refund_rules.RefundRefused, match="frozen"):
        ask(order, 100)
    assert ask(order, 100, terms=STAFF).state == "asked"


@pytest.mark.django_db
def test_what_is_unspent_is_found_in_three_queries_however_many_orders_it_came_with(
    alice, django_assert_num_queries
):
    orders = [pay(alice) for _ in range(5)]
    ask(orders[4], 400)
    spend(alice, 7 * USD)
    with django_assert_num_queries(3):
        found = refund_rules.unspent(alice)
    back = [(orders[4], 600), *((order, 1_000) for order in orders[3:0:-1]), (orders[0], 300)]
    assert found == back


@pytest.mark.django_db
def test_staff_cannot_take_what_is_spent_unless_they_force_it(alice):
    order = pay(alice)
    spend(alice, 7 * USD)
    with pytest.raises(refund_rules.RefundRefused, match="spent"):
        ask(order, 1_000, terms=STAFF)
    refund = ask(order, 1_000, terms=FORCED)
    assert (refund.wallet_nusd, refund.owed_nusd) == (3 * USD, 7 * USD)
    assert Debt.objects.get().owed_nusd == 7 * USD
    assert wallet(alice).frozen
    arrive(refund, kind="refund_failed")
    assert Debt.objects.get().owed_nusd == 0
    assert not wallet(alice).frozen
    assert available(alice) == 3 * USD


@pytest.mark.django_db
def test_staff_have_a_limit_for_each_order(alice):
    cashier.configure(staff_refund_minor_max=500)
    order = pay(alice)
    ask(order, 300, terms=STAFF)
    with pytest.raises(refund_rules.RefundRefused, match="limit"):
        ask(order, 201, terms=STAFF)
    assert ask(order, 200, terms=STAFF).amount_minor == 200
    assert ask(order, 500).amount_minor == 500  # its owner's own money


@pytest.mark.django_db
def test_a_refund_that_fails_gives_the_money_back_once(alice):
    order = pay(alice)
    refund = ask(order, 1_000)
    order.refresh_from_db()
    assert order.state == "refunded"
    assert arrive(refund, kind="refund_failed", reason="expired_card") == "applied"
    assert arrive(refund, kind="refund_failed") == "repeated"
    order.refresh_from_db()
    refund.refresh_from_db()
    assert (order.state, order.refunded_minor) == ("paid", 0)
    assert (refund.state, refund.failure) == ("failed", "expired_card")
    assert available(alice) == 10 * USD
    assert ask(order, 1_000).state == "asked"


@pytest.mark.django_db
@pytest.mark.parametrize("words", [("refunded", "refund_failed"), ("refund_failed", "refunded")])
@pytest.mark.parametrize(
    ("processor", "state", "left"), [("stripe", "failed", 7), ("wechatpay", "succeeded", 0)]
)
def test_success_and_failure_in_any_order_end_alike(alice, words, processor, state, left):
    """A card's refund may come back; a refund that WeChat could not deliver may yet arrive."""
    order = pay(alice, minor=700 if processor == "stripe" else 4_900, processor=processor)
    refund = ask(order, order.total_minor)
    for word in (*words, *words):
        arrive(refund, kind=word)
    refund.refresh_from_db()
    assert (refund.state, available(alice)) == (state, left * USD)


@pytest.mark.django_db
def test_what_staff_send_back_at_the_processor_is_taken_as_far_as_it_is_there(alice):
    order = pay(alice)
    spend(alice, 8 * USD)
    told = {"order_ref": "", "refund_ref": "re_9", "refund_minor": 500, "currency": "USD"}
    assert tell(order, "refunded", **told) == "applied"
    assert tell(order, "refunded", **told) == "repeated"
    refund = Refund.objects.get()
    assert (refund.wallet_nusd, refund.owed_nusd, refund.actor) == (2 * USD, 3 * USD, "stripe")
    assert (available(alice), Debt.objects.get().owed_nusd) == (0, 3 * USD)
    assert wallet(alice).frozen
    assert tell(order, "refunded", **(told | {"refund_ref": "re_10", "refund_minor": 501})) == (
        "suspended"
    )


@pytest.mark.django_db
def test_a_failure_told_before_its_success_moves_nothing(alice):
    order = pay(alice)
    told = {"refund_ref": "re_9", "refund_minor": 500, "currency": "USD"}
    assert tell(order, "refund_failed", **told) == "applied"
    assert tell(order, "refunded", **told) == "repeated"
    assert available(alice) == 10 * USD
    assert order.state == "paid"


@pytest.mark.django_db
def test_a_nameless_refund_is_ours_when_one_of_that_amount_is_on_its_way(alice):
    order = pay(alice)
    refund = ask(order, 300)
    assert tell(order, "refunded", refund_ref="re_1", refund_minor=300) == "applied"
    refund.refresh_from_db()
    assert (refund.state, refund.refund_ref) == ("succeeded", "re_1")
    assert available(alice) == 7 * USD


@pytest.mark.django_db
def test_another_amount_than_asked_reaches_staff(alice):
    refund = ask(pay(alice), 300)
    assert arrive(refund, refund_minor=301) == "suspended"
    assert Suspense.objects.get().cause == "wrong_state"
    refund.refresh_from_db()
    assert refund.state == "asked"


@pytest.mark.django_db
def test_a_refund_of_another_payment_reaches_staff(alice):
    order = pay(alice)
    told = {"payment_ref": "pi_other", "refund_ref": "re_1", "refund_minor": 300}
    assert tell(order, "refunded", **told) == "suspended"
    assert available(alice) == 10 * USD


@pytest.mark.django_db
@pytest.mark.parametrize("is_there", [True, False])
def test_an_old_call_without_an_answer_is_looked_for_before_it_is_made_again(
    alice, stripe, is_there
):
    refund = ask(pay(alice), 400)
    stripe.answers = ["pending"]
    refunds.send(refund, now=NOW)
    Refund.objects.update(state="asked", refund_ref="")  # we never heard of it
    if not is_there:
        stripe.made.clear()
    stripe.answers = ["succeeded"]
    stripe.calls.clear()
    refunds.sweep(now=NOW + dt.timedelta(hours=23))
    refund.refresh_from_db()
    assert refund.state == "succeeded"
    assert [call for call, _ in stripe.calls] == ["GET" if is_there else "POST"]


@pytest.mark.django_db
def test_alipay_tells_sums_of_refunds(alice):
    order = pay(alice, minor=7_000, processor="alipay")
    ours = ask(order, 700)

    def told(total, **facts):
        return tell(
            order, "refunded", currency="CNY", refund_minor=total, refunded_total_minor=total,
            **facts,
        )  # fmt: skip

    assert told(1_400, refund_ref="desk-1") == ""  # ours is under way: it may be in the sum
    assert told(700, refund_id=ours.id.hex, refund_ref=ours.id.hex) == "applied"
    later = NOW + dt.timedelta(minutes=1)
    assert applying.sweep(now=later) == 1
    assert sorted(order.refunds.values_list("amount_minor", flat=True)) == [700, 700]
    assert told(1_400, refund_ref="desk-2") == "repeated"
    assert available(alice) == 8 * USD


@pytest.mark.django_db
def test_a_refund_before_its_payment_waits(alice):
    order = cashier.order(alice)
    told = {"refund_ref": "re_1", "refund_minor": 400, "currency": "USD"}
    assert tell(order, "refunded", **told) == ""
    assert WebhookEvent.objects.get().outcome == ""
    applying.take(cashier.paid_notice(order), now=NOW)
    assert applying.sweep(now=NOW + applying.RETRY_AFTER) == 1
    assert available(alice) == 6 * USD


@pytest.mark.django_db
def test_recent_unspent_money_can_go_back(alice):
    order = pay(alice)
    spend(alice, 250 * CENT + 1)
    last_day = NOW + 14 * DAY
    assert refund_rules.refundable(order, now=last_day) == 749
    assert refund_rules.refundable(order, now=last_day + dt.timedelta(seconds=1)) == 0


@pytest.mark.django_db
def test_all_unspent_money_is_found_newest_first_and_goes_back_to_the_last_cent(alice):
    first = pay(alice, minor=1_000, tax_minor=50)
    second = pay(alice, minor=7_001, processor="alipay", now=NOW + DAY)
    spend(alice, 3 * USD)
    found = refund_rules.unspent(alice)
    assert [(order.pk, minor) for order, minor in found] == [(second.pk, 7_001), (first.pk, 735)]
    for order, minor in found:
        ask(order, minor, now=NOW + 400 * DAY)
    assert 0 <= available(alice) < CENT
    assert refund_rules.unspent(alice) == []


@pytest.mark.django_db
def test_given_money_does_not_go_back(alice):
    order = pay(alice)
    factories.give(alice, 5 * USD)
    assert refund_rules.unspent(alice) == [(order, 1_000)]
    ask(order, 1_000)
    assert refund_rules.unspent(alice) == []
    assert available(alice) == 5 * USD


@pytest.mark.django_db
def test_a_refund_is_no_use_of_trial_money(alice, settings):
    digests = {"email_digest": b"e" * 32, "phone_digest": None, "network_digest": b"n" * 32}
    trials.grant(account_id=alice.pk, now=NOW, **digests)
    ask(pay(alice), 1_000)
    assert trials.end_due(now=NOW + settings.TRIAL_DAYS * DAY) == 1
    assert available(alice) == 0


def _order(net, tax, credit) -> Order:
    return Order(net_minor=net, tax_minor=tax, credit_nusd=credit, currency="CNY")


@given(
    st.integers(1, 500), st.integers(0, 200), st.integers(1, 10**12),
    st.lists(st.tuples(st.integers(1, 200), st.booleans()), max_size=8),
)  # fmt: skip
def test_parts_always_sum_to_the_whole(net, tax, credit, asked):
    """Whatever failed in between, what went back is never more than came, and in the end all."""
    order, kept = _order(net, tax, credit), []

    def before():
        sums = [sum(getattr(part, name) for part in kept) for name in
                ("net_minor", "tax_minor", "credit_nusd")]  # fmt: skip
        return returning.Share(net_minor=sums[0], tax_minor=sums[1], credit_nusd=sums[2])

    def split(amount):
        part = returning.split(order, amount, before=before())
        assert part.net_minor + part.tax_minor == amount
        assert min(part.net_minor, part.tax_minor, part.credit_nusd) >= 0
        return part

    for amount, fails in asked:
        left = order.total_minor - before().net_minor - before().tax_minor
        if left:
            part = split(min(amount, left))
            if fails and kept:
                kept.pop(0)
            kept.append(part)
    left = order.total_minor - before().net_minor - before().tax_minor
    if left:
        kept.append(split(left))
    assert dataclasses.astuple(before()) == (net, tax, credit)


@pytest.fixture
def stripe():
    """Stripe's refunds on loopback: answers as scripted, and says what it was asked."""
    with desk.open_desk() as made:
        cashier.configure(stripe=dataclasses.replace(cashier.payments().stripe, url=made.url))
        yield made


@pytest.mark.django_db
def test_a_refund_is_sent_and_asked_about_until_it_is_over(alice, stripe):
    refund = ask(pay(alice), 400)
    stripe.answers = [500, "pending", "pending", "succeeded"]
    with pytest.raises(base.Unavailable):
        refunds.send(refund, now=NOW)
    assert healing.sweep(now=NOW + dt.timedelta(seconds=29)) == 0
    states = []
    for minutes in (1, 3, 30, 90):
        healing.sweep(now=NOW + dt.timedelta(minutes=minutes))
        refund.refresh_from_db()
        states.append(refund.state)
    assert states == ["pending", "pending", "succeeded", "succeeded"]
    assert [call for call, _ in stripe.calls] == ["POST", "POST", "GET", "GET"]
    assert {name for _, name in stripe.calls} == {refund.id.hex}
    assert available(alice) == 6 * USD


@pytest.mark.django_db
@pytest.mark.parametrize("answer", [400, "failed"])
def test_a_refund_that_the_processor_refuses_gives_the_money_back(alice, stripe, answer):
    refund = ask(pay(alice), 400)
    stripe.answers = [answer]
    assert refunds.send(refund, now=NOW).state == "failed"
    assert refund.failure == "expired_card"
    assert available(alice) == 10 * USD
    assert refunds.send(refund, now=NOW).state == "failed"  # asks nothing more
    assert len(stripe.calls) == 1


@pytest.mark.django_db
def test_a_refund_that_starts_while_the_processor_is_away_is_sent_later(alice, stripe):
    stripe.answers = [500, "succeeded"]
    order = pay(alice)
    started = refunds.start(order, 400, reason="unspent", actor="user:1", now=NOW)
    assert (started.state, available(alice)) == ("asked", 6 * USD)
    assert refunds.sweep(now=NOW + dt.timedelta(seconds=30)) == 1
    started.refresh_from_db()
    assert started.state == "succeeded"


@pytest.mark.django_db
def test_one_refund_that_cannot_be_sent_does_not_hold_up_others(alice, stripe):
    first, second = ask(pay(alice), 400), ask(pay(alice), 500)
    stripe.answers = [500, "succeeded"]
    assert refunds.sweep(now=NOW + dt.timedelta(minutes=1)) == 2
    states = sorted(Refund.objects.values_list("state", flat=True))
    assert states == ["asked", "succeeded"]
    assert {first.id.hex, second.id.hex} == {name for _, name in stripe.calls}
