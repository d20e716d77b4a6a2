"""What the embedded default starts with: a demo account, its money, its key, its channels."""

from dataclasses import dataclass, field

from django.db import transaction

from accounts import keys, owners
from accounts.models import Account, User
from bananarouter import env
from billing import ledger
from billing.models import LedgerAccount
from routing import channel_import, import_file

EMAIL = "demo@example.invalid"
KEY_NAME = "demo"
ACTOR = "run"
BALANCE_NUSD = 100_000_000_000
# Dear enough to be seen on a balance, near what common hosted models cost (USD per million).
CHAT_PRICES = {"input": "2.50", "cache_read": "0.25", "cache_write_5m": "3.125", "output": "10"}
# Cheap enough for trial money (TRIAL_PRICE_NUSD_PER_MTOK_MAX).
SMALL_PRICES = {"input": "0.25", "cache_read": "0.025", "cache_write_5m": "0.3125", "output": "2"}
REASONING_PRICES = {**CHAT_PRICES, "reasoning": "10"}
EMBEDDING_PRICES = {"input": "0.02"}
CHAT_MODELS = {
    "demo/small": SMALL_PRICES,
    "demo/fast": CHAT_PRICES,
    "demo/steady": CHAT_PRICES,
    "demo/reasoner": REASONING_PRICES,
}
EMBEDDING_MODELS = {"demo/embed": EMBEDDING_PRICES}
# Each way in which media are sold: tokens, the image, a million characters, an hour of sound.
MEDIA_MODELS = {
    "demo/image": {"input": "5", "image_input": "10", "image_output": "40"},
    "demo/picture": {"image": "40"},
    "demo/voice": {"characters": "15"},
    "demo/speaker": {"input": "0.60", "audio_output": "12"},
    "demo/ears": {"audio_duration": "0.36"},
    "demo/scribe": {"input": "2.50", "audio_input": "6", "output": "10"},
    "demo/moderator": {"input": "0"},
    "demo/rerank": {"input": "0.05"},
}
# Models that one wire format alone reaches, so that translation can be seen.
ALONE = "demo-reasoner"  # the vendor's name of them all
CHANNELS = {
    "demo-openai": ("openai-chat", "/v1", {**CHAT_MODELS, **EMBEDDING_MODELS, **MEDIA_MODELS}),
    "demo-anthropic": ("anthropic-messages", "", CHAT_MODELS),
    "demo-gemini": ("gemini", "/v1beta", {**CHAT_MODELS, **EMBEDDING_MODELS}),
    "demo-only-chat": ("openai-chat", "/v1", {"demo/only-chat": REASONING_PRICES}),
    "demo-only-responses": ("openai-responses", "/v1", {"demo/only-responses": REASONING_PRICES}),
    "demo-only-messages": ("anthropic-messages", "", {"demo/only-messages": REASONING_PRICES}),
    "demo-only-gemini": ("gemini", "/v1beta", {"demo/only-gemini": REASONING_PRICES}),
}
CONTEXT_TOKENS_MAX = 131_072
OUTPUT_TOKENS_MAX = 16_384
VENDOR_KEYS = {
    "OPENAI_API_KEY": "openai",
    "ANTHROPIC_API_KEY": "anthropic",
    "GEMINI_API_KEY": "google",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What the operator is told; without a demo, `key` is "-"."""

    key: str = field(default="-", repr=False)
    staff_username: str = ""
    # Known only when it was just made.
    staff_password: str | None = field(default=None, repr=False)
    vendors: tuple[str, ...] = ()


def seed(*, demo_port: int | None) -> Seeded:
    """Make what is missing; without a `demo_port` only the vendors whose keys are set."""
    vendors = []
    for variable, vendor in VENDOR_KEYS.items():
        if credential := env.secret(variable):
            channel_import.seed_vendor(vendor, credential)
            vendors.append(vendor)
    if demo_port is None:
        return Seeded(vendors=tuple(vendors))
    account, user, password = _account()
    _credit(account)
    _, key = keys.mint_demo(account=account, name=KEY_NAME)
    channel_import.install(import_file.read(_channels(demo_port)))
    return Seeded(
        key=key,
        staff_username=user.username if user else "",
        staff_password=password,
        vendors=tuple(vendors),
    )


def _account() -> tuple[Account, User | None, str | None]:
    """Return the demo account; make it, with a staff user who owns it, when there is none."""
    account = Account.objects.filter(is_demo=True).order_by("pk").first()
    if account is not None:
        return account, None, None
    with transaction.atomic():
        user, password = owners.make_staff(email=EMAIL)
        return owners.open_account(user, is_demo=True), user, password


def _credit(account: Account) -> None:
    """Give the demo account its balance, once in its life."""
    try:
        ledger.credit(
            account_id=account.pk,
            amount_nusd=BALANCE_NUSD,
            source=LedgerAccount.Kind.PROMOTION,
            ref=f"demo-{account.pk}",
            actor=ACTOR,
        )
    except ledger.AlreadyPosted:
        return


def _upstream_name(slug: str) -> str:
    return ALONE if slug.startswith("demo/only-") else slug.replace("/", "-")


def _channels(port: int) -> dict[str, object]:
    """Return the demo vendor's channels as `import_channels` reads them."""
    return {
        "channels": [
            {
                "name": name,
                "vendor": "demo",
                "protocol": protocol,
                "base_url": f"http://127.0.0.1:{port}{path}",
                "api_key": "demo",
                "models": [
                    {
                        "name": slug,
                        "upstream_name": _upstream_name(slug),
                        # A chat alone must not be called as Responses.
                        "quirks": {"speaks_responses": slug != "demo/only-chat"},
                        "prices": prices,
                        "context_tokens_max": CONTEXT_TOKENS_MAX,
                        "output_tokens_max": OUTPUT_TOKENS_MAX,
                    }
                    for slug, prices in models.items()
                ],
            }
            for name, (protocol, path, models) in CHANNELS.items()
        ]
    }
