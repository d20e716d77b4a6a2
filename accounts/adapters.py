"""How allauth creates users here and keeps their second factors."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest

from accounts import owners, sealing
from accounts.models import User

MFA_LABEL = b"bananarouter mfa_authenticator.data v1"


class AccountAdapter(DefaultAccountAdapter):
    """Gives every new user an account that pays, in the same transaction."""

    def save_user(
        self,
        request: HttpRequest,
        user: AbstractBaseUser,
        form: Any,
        commit: bool = True,  # noqa: FBT001, FBT002  allauth's signature
    ) -> AbstractBaseUser:
        with transaction.atomic():
            saved = super().save_user(request, user, form, commit=commit)
            if commit and isinstance(saved, User):
                owners.open_account(saved)
        return saved


class MFAAdapter(DefaultMFAAdapter):
    """Keeps TOTP secrets and the seeds of recovery codes encrypted."""

    def encrypt(self, text: str) -> str:
        return sealing.seal(text, label=MFA_LABEL)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.unseal(encrypted_text, label=MFA_LABEL)
