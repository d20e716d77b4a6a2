"""The site as a map: every route of the URLconf, and a scene with an object for each argument."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts import keys
from accounts.models import Account, ApiKey, Membership, User
from tests import factories

# What a stranger without an account may open. Every other route turns away who is not signed in.
PUBLIC = {
    "home", "api_docs", "api_protocol", "openapi", "livez", "readyz", "metrics",
    "set_language", "staff_login",
}  # fmt: skip
# allauth's own: for those who are about to sign in, or just did; it guards each of them itself.
ENTRANCE_PREFIX = "accounts/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One pattern of the URLconf."""

    name: str  # with its namespace
    pattern: str
    arguments: tuple[str, ...]

    @property
    def is_staff(self) -> bool:
        return self.name.startswith("admin:")

    @property
    def is_entrance(self) -> bool:
        return self.pattern.startswith(ENTRANCE_PREFIX)


def routes() -> list[Route]:
    """Every named route of pages; a route without a name cannot be tested and fails."""
    return list(_walk(get_resolver(), "", ""))


def _walk(
    resolver: URLResolver, prefix: str, namespace: str, above: tuple[str, ...] = ()
) -> Iterator[Route]:
    for part in resolver.url_patterns:
        pattern = prefix + str(part.pattern)
        names = (*above, *sorted(part.pattern.regex.groupindex))
        if isinstance(part, URLResolver):
            below = f"{namespace}{part.namespace}:" if part.namespace else namespace
            yield from _walk(part, pattern, below, names)
        elif isinstance(part, URLPattern):
            yield Route(name=f"{namespace}{part.name}", pattern=pattern, arguments=names)


def ours() -> list[Route]:
    """Routes of our own pages: neither the staff site's nor allauth's."""
    return [route for route in routes() if not route.is_staff and not route.is_entrance]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Alice owns an account with one of everything; bob develops in it; mallory is a stranger."""

    alice: User
    bob: User
    mallory: User
    account: Account
    key: ApiKey
    request_id: uuid.UUID
    # Words of alice's that nobody outside of her account may ever read.
    secrets: tuple[str, ...]

    def values(self) -> dict[str, object]:
        """An existing object of alice's for each name of an argument in the URLconf."""
        return {"key_id": self.key.pk, "request_id": self.request_id, "tag": "openai"}

    def url(self, route: Route) -> str:
        known = self.values()
        missing = set(route.arguments) - set(known)
        assert not missing, f"{route.pattern}: tests/site.py has no value for {missing}"
        return reverse(route.name, kwargs={name: known[name] for name in route.arguments})


def build(*, password: str | None = None) -> Scene:
    """Make the scene."""
    alice = factories.user("alice", password=password)
    bob, mallory = factories.user("bob"), factories.user("mallory")
    account = factories.account_of(alice)
    Account.objects.filter(pk=account.pk).update(name="Aardvark Labs", is_organization=True)
    account.refresh_from_db()
    Membership.objects.create(account=account, user=bob, role=Membership.Role.DEVELOPER)
    factories.give(account, 12_345_000_000)
    key, _ = keys.mint(account=account, created_by=alice, name="quokka-production")
    request_id = factories.request(account, model="demo/numbat", api_key_id=key.pk)
    return Scene(
        alice=alice,
        bob=bob,
        mallory=mallory,
        account=account,
        key=key,
        request_id=request_id,
        secrets=("Aardvark Labs", "quokka-production", "demo/numbat"),
    )
