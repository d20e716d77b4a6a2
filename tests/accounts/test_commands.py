from argparse import ArgumentTypeError
from io import StringIO

import pytest
from django.core.management import call_command

from accounts import commands
from accounts.models import User

pytestmark = pytest.mark.django_db


def run(name, *arguments):
    out, err = StringIO(), StringIO()
    call_command(name, *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_create_staff_prints_a_password_once_on_stderr():
    out, err = run("create_staff", "--email", "Alice@Example.com")
    assert out == ""
    user = User.objects.get(email="alice@example.com")
    assert user.is_staff
    assert user.is_superuser
    password = err.split("password ")[1].split()[0]
    assert user.check_password(password)
    assert user.password.startswith("argon2$argon2id$")
    _, again = run("create_staff", "--email", "alice@example.com")
    assert "as it was" in again
    user.refresh_from_db()
    assert user.check_password(password)
    assert User.objects.count() == 1


def test_an_address_is_parsed_strictly():
    assert commands.email(" A@Example.com ") == "a@example.com"
    with pytest.raises(ArgumentTypeError):
        commands.email("a@")
