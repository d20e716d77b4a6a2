"""The groups of staff's roles: made and brought up to date by one command."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from bananarouter import staff_roles

pytestmark = pytest.mark.django_db


def held(name) -> set[str]:
    rows = Group.objects.get(name=name).permissions.select_related("content_type")
    return {f"{row.content_type.app_label}.{row.codename}" for row in rows}


def test_each_role_has_what_it_is_said_to_have_however_often_it_is_made(capsys):
    Group.objects.create(name="friends")
    for _ in range(2):
        call_command("staff_roles")
    assert {name: held(name) for name in staff_roles.ROLES} == {
        name: set(wanted) for name, wanted in staff_roles.ROLES.items()
    }
    assert Group.objects.filter(name="friends").exists()
    assert f"finance: {len(held('finance'))} permissions" in capsys.readouterr().out


def test_what_was_added_by_hand_is_taken_away_again():
    call_command("staff_roles")
    Group.objects.get(name="support").permissions.add(
        Permission.objects.get(codename="write_off_statementrow")
    )
    call_command("staff_roles")
    assert "billing.write_off_statementrow" not in held("support")


def test_no_role_changes_the_ledger_or_deletes_anything():
    wanted = {one for role in staff_roles.ROLES.values() for one in role}
    assert not [one for one in wanted if ".delete_" in one]
    assert not [one for one in wanted if "ledger" in one and ".view_" not in one]
