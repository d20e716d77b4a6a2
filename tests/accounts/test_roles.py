"""Who may do what: the whole table, so that a change of it is seen."""

import pytest

from accounts import roles
from accounts.models import Membership

TABLE = {
    "owner": set(roles.QUESTIONS),
    "admin": set(roles.QUESTIONS) - {"own"},
    "developer": {"make_keys", "see_requests"},
    "billing": {"see_requests", "see_all_requests", "see_money"},
}


def allowed(role: str) -> set[str]:
    return {name for name, answer in roles.QUESTIONS.items() if answer(role)}


def test_the_table_knows_every_role():
    assert set(TABLE) == set(Membership.Role.values)


@pytest.mark.parametrize("role", TABLE)
def test_a_role_may_do_this_and_nothing_else(role):
    assert allowed(role) == TABLE[role]


@pytest.mark.parametrize("role", ["", "Owner", "root", "member"])
def test_an_unknown_role_may_do_nothing(role):
    assert allowed(role) == set()


def test_every_question_can_be_asked_by_name():
    asked = {name for name in vars(roles) if name.startswith("may_")}
    assert asked == {f"may_{name}" for name in roles.QUESTIONS}


@pytest.mark.parametrize(
    ("by", "given"),
    [
        ("owner", {"owner", "admin", "developer", "billing"}),
        ("admin", {"admin", "developer", "billing"}),
        ("developer", set()),
        ("billing", set()),
        ("", set()),
    ],
)
def test_only_owners_make_owners(by, given):
    assert {role for role in TABLE if roles.can_appoint(by, role=role)} == given
