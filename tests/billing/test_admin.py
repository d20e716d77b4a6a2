import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import Change, User
from billing.models import Charge, Lease, LedgerTransaction
from tests import factories
from tests.billing.conftest import USD, open_bank, open_charge, run, settlement, wallet

MODELS = sorted(model._meta.model_name for model in apps.get_app_config("billing").get_models())


@pytest.fixture
def paid(make_wallet, tmp_path, transactional_db):
    """An account with one paid request behind it."""
    account = make_wallet(USD)

    async def main(_):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 1_000)
            assert await charge.settle(settlement(700))

    run(main)
    return account


@pytest.fixture
def staff(client, paid):
    factories.log_in(client, User.objects.create_superuser("staff", "staff@example.com", "x"))
    return client


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_list_that_can_be_searched_and_a_page(staff, name):
    model = apps.get_model("billing", name)
    assert model in admin.site._registry
    url = reverse(f"admin:billing_{name}_changelist")
    assert staff.get(url, {"q": "1"}).status_code == 200
    assert staff.get(url).status_code == 200
    if row := model.objects.first():
        page = reverse(f"admin:billing_{name}_change", args=[row.pk])
        assert staff.get(page).status_code == 200
        assert staff.post(page, {}).status_code == 403
        assert staff.post(reverse(f"admin:billing_{name}_delete", args=[row.pk])).status_code == 403
    is_made_by_staff = name in {"promotioncode", "staffcredit"}
    added = staff.get(reverse(f"admin:billing_{name}_add")).status_code
    assert added == (200 if is_made_by_staff else 403)


def test_an_entry_leads_to_its_lease_and_its_charges(staff):
    posting = LedgerTransaction.objects.get(kind="lease")
    page = staff.get(reverse("admin:billing_ledgertransaction_changelist"), {"kind": "lease"})
    lease_list = f"{reverse('admin:billing_lease_changelist')}?id__exact={posting.ref}"
    assert lease_list in page.content.decode()
    lease = Lease.objects.get(pk=posting.ref)
    charges_list = f"{reverse('admin:billing_charge_changelist')}?lease_id__exact={lease.pk}"
    assert charges_list in staff.get(lease_list).content.decode()
    assert str(Charge.objects.get().request_id) in staff.get(charges_list).content.decode()


def test_every_link_of_the_lists_leads_somewhere(staff, paid):
    for name, view in (("wallet", "lease"), ("ledgeraccount", "ledgerentry")):
        listing = staff.get(reverse(f"admin:billing_{name}_changelist")).content.decode()
        start = listing.index(reverse(f"admin:billing_{view}_changelist") + "?")
        link = listing[start : listing.index('"', start)].replace("&amp;", "&")
        assert staff.get(link).status_code == 200


@pytest.mark.parametrize(("action", "is_frozen"), [("freeze", True), ("thaw", False)])
def test_staff_freezes_and_thaws_a_wallet_and_every_worker_hears_of_it(
    staff, paid, action, is_frozen
):
    if not is_frozen:
        staff.post(
            reverse("admin:billing_wallet_changelist"),
            {"action": "freeze", "_selected_action": [paid]},
        )
    Change.objects.all().delete()
    answer = staff.post(
        reverse("admin:billing_wallet_changelist"), {"action": action, "_selected_action": [paid]}
    )
    assert answer.status_code == 302
    assert wallet(paid).frozen is is_frozen
    assert list(Change.objects.values_list("topic", "ref")) == [("wallet", str(paid))]


def test_staff_without_the_permission_cannot_freeze(client, paid):
    viewer = User.objects.create_user("viewer", "viewer@example.com", "x", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_wallet"))
    factories.log_in(client, viewer)
    url = reverse("admin:billing_wallet_changelist")
    assert client.get(url).status_code == 200
    client.post(url, {"action": "freeze", "_selected_action": [paid]})
    assert not wallet(paid).frozen
