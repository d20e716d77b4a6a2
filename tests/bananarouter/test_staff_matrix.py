"""Role by act: each role may do on the staff site what docs/staff.md says, and nothing else."""

import uuid
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from accounts import contact, disclosures
from accounts.models import AbuseReport, Account
from bananarouter import staff_roles
from billing.models import FapiaoRequest, StaffCredit, StatementRow, Suspense
from tests import factories
from tests.bananarouter.staff_matrix import Asker
from tests.billing.payments import cashier

pytestmark = pytest.mark.django_db
PAGE = Path(__file__).parents[2] / "docs" / "staff.md"
# Superusers are not in the group that keeps the register.
NOT_SUPERUSERS = {"accounts.disclosure"}


def table():
    """Read docs/staff.md: role -> table or page -> acts."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, *rows = cells
    return {
        role: {
            row[0].strip("`"): set(row[column].split(", ")) for row in rows if row[column]
        }
        for column, role in enumerate(head)
        if column
    }  # fmt: skip


@pytest.fixture
def rows(settings):
    """Rows that something can be decided about."""
    settings.PAYMENTS = cashier.payments()
    now, account = timezone.now(), factories.account_of(factories.user("payer"))
    order = cashier.pay(account)
    clerk = member("privacy", name="author")
    report = contact.open_request(
        kind="abuse", source="form", email="e@example.com", subject="Spam", text="It.", now=now
    )
    question = contact.open_request(
        kind="question", source="form", email="e@example.com", subject="?", text="?", now=now
    )
    asked = {"kind": "data", "authority": "A court", "reference": "1", "legal_basis": "A law",
             "secrecy_reason": "", "secrecy_until": None}  # fmt: skip
    letters = [
        disclosures.record(
            account=account, by=clerk, asked={**asked, "reference": str(number)}, now=now
        )
        for number in range(2)
    ]
    for name in ("one", "two"):
        letters[1] = disclosures.approve(letters[1], by=member("privacy", name=name), now=now)
    return {
        "billing.order": [order],
        "billing.suspense": [
            Suspense.objects.create(
                processor="stripe", ref="r", cause="unknown_order", opened_at=now
            )
        ],
        "billing.statementrow": [
            StatementRow.objects.create(
                processor="stripe", row_ref="r", day=now.date(), kind="payment", amount_minor=1,
                currency="USD", verdict="missing_here",
            )
        ],
        "billing.staffcredit": [
            StaffCredit.objects.create(
                account=account, amount_nusd=1, reason="r", form_id=uuid.uuid4(), state="waiting",
                needs_second=True, asked_by="staff:1", asked_at=now,
            )
        ],
        "billing.fapiaorequest": [
            FapiaoRequest.objects.create(order=order, title="A", created_at=now, updated_at=now)
        ],
        "accounts.abusereport": [AbuseReport.objects.get(pk=report.pk)],
        "accounts.contactrequest": [question],
        "accounts.disclosure": letters,
    }  # fmt: skip


def member(role, *, name=""):
    """Staff in a role."""
    staff_roles.write()
    user = factories.user(name or role.replace(" ", "") or "nobody", is_staff=True)
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


@pytest.mark.clause("4.2-access")
@pytest.mark.parametrize("role", [*staff_roles.ROLES, ""])
def test_a_role_may_do_what_the_table_says_and_nothing_else(rows, role):
    able = Asker(member(role), rows).everything()
    assert able == table().get(role, {})


def test_everything_in_the_table_is_there_to_be_done(rows):
    """The control: of the same questions, superusers are refused almost none."""
    person = member("", name="super")
    person.is_superuser = True
    person.save()
    able = Asker(person, rows).everything()
    assert set(table()) == set(staff_roles.ROLES)
    for acts_by_name in table().values():
        for name, acts in acts_by_name.items():
            assert acts <= able.get(name, set()) or name in NOT_SUPERUSERS, name
    assert not NOT_SUPERUSERS & set(able)
    assert {"lock_out", "password_change", "delete"} <= able["accounts.user"]


@pytest.mark.clause("4.2-access")
def test_an_action_that_is_not_ones_own_does_nothing(client):
    account = factories.account_of(factories.user("alice"))
    client.force_login(member("support"))
    url = reverse("admin:accounts_account_changelist")
    client.post(url, {"action": "close", "_selected_action": [account.pk], "index": "0"})
    assert Account.objects.get(pk=account.pk).is_active
