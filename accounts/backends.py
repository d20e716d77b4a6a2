"""Who a name or address and a password belong to: one password check, whoever is asked for."""

from allauth.account.auth_backends import AuthenticationBackend as AllauthBackend
from allauth.account.internal.userkit import filter_users_by_email, get_user_by_username
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest


class AuthenticationBackend(AllauthBackend):
    """allauth's, which checks the password of a known address twice: that can be timed."""

    def _authenticate(
        self,
        request: HttpRequest | None,  # noqa: ARG002  allauth's signature
        **credentials: str,
    ) -> AbstractBaseUser | None:
        user = self._find(credentials)
        # Without a user allauth hashes the password for nobody, as often as it checks one here.
        found: AbstractBaseUser | None = self._check_password(user, credentials["password"])
        return found

    @staticmethod
    def _find(credentials: dict[str, str]) -> AbstractBaseUser | None:
        login = credentials.get("email") or credentials.get("username") or ""
        users = filter_users_by_email(login, prefer_verified=True, for_login=True)
        user: AbstractBaseUser | None = users[0] if users else get_user_by_username(login)
        return user
