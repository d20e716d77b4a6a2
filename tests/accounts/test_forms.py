"""What allauth's forms do more, or less, here."""

import pytest
from allauth.core.context import request_context
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.db import SessionStore
from django.test import RequestFactory
from django.urls import reverse

from accounts.forms import PhoneField, SignUp
from accounts.models import Account, User
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_form_sent_twice_at_once_makes_one_user():
    request = RequestFactory().post(reverse("account_signup"))
    request.session = SessionStore()
    request._messages = FallbackStorage(request)
    data = {
        "email": "eve@example.com", "username": "eve", "password1": factories.PASSWORD,
        "accepts_policies": "on",
    }  # fmt: skip
    with request_context(request):
        form = SignUp(data)
        assert form.is_valid()
        factories.user("eve")  # the other one is faster
        user, response = form.try_save(request)
    assert user is None
    assert response["Location"] == reverse("account_login")
    assert [str(message) for message in get_messages(request)] == [
        "You have signed up. Log in to go on."
    ]
    assert User.objects.count() == Account.objects.count() == 1


def test_a_phone_that_need_not_be_there_may_be_empty():
    assert PhoneField(required=False).clean("  ") == ""
    assert PhoneField().clean("+86 138-0013-8000") == "+8613800138000"
