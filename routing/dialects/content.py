"""What a request holds beside text: media, links, handles, tools of the vendor (pure)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from billing.usage import UnitClass
from routing.dialects import fields
from routing.dialects.base import Content
from routing.errors import Code

# Uses of a server tool that are held when the request sets no limit of its own.
TOOL_USES_BOUND: Final = 10

# Keys that name something stored at a vendor, wherever they stand outside schemas and arguments.
HANDLE_KEYS: Final = frozenset(
    {
        "file_id",
        "file_ids",
        "fileId",
        "container",
        "container_id",
        "vector_store_id",
        "vector_store_ids",
        "skill_id",
        "skills",
        "connector_id",
        "tunnel_id",
        "previous_response_id",
        "conversation",
        "cachedContent",
        "cached_content",
        "knowledge_id",
        "collection_ids",
        "fileSearchStoreNames",
        "file_search_store_names",
    }
)
# Inside these, names are the caller's own words: schemas, arguments, quoted sources.
_OPAQUE_KEYS: Final = frozenset(
    {
        "parameters",
        "parametersJsonSchema",
        "input_schema",
        "output_schema",
        "schema",
        "arguments",
        "args",
        "input",
        "response",
        "annotations",
        "citations",
        "headers",
        "format",
    }
)
_LINK_KEYS: Final = frozenset({"url", "image_url", "file_url", "video_url", "document_url"})
# Files of these APIs are reachable as links too, for whoever holds the vendor's key.
_VENDOR_LINK: Final = re.compile(
    r"https?://[^/?#]*(generativelanguage\.googleapis|api\.openai|api\.anthropic)\.com",
    re.IGNORECASE,
)


class Tally:
    """Counts, while a request is read, what its bytes do not bound."""

    __slots__ = ("fees", "has_remote", "images", "inline_bytes")

    def __init__(self) -> None:
        self.images = 0
        self.inline_bytes = 0  # of images: they are bounded by number, not by bytes
        self.has_remote = False
        self.fees: dict[UnitClass, int] = {}

    def content(self) -> Content:
        """Return what was counted."""
        return Content(
            images=self.images,
            inline_bytes=self.inline_bytes,
            has_remote=self.has_remote,
            fees=self.fees,
        )

    def image(self, url: Any, param: str) -> None:
        """Count an image given as a data URL or as a link."""
        if type(url) is not str:
            fields.refuse_type(url, "a string", param)
        self.images += 1
        if url[:11].lower() == "data:image/":
            self.inline_bytes += len(url)
        else:
            self.link(url, param)  # also a document that calls itself an image

    def inline(self, mime: Any, data: Any, param: str) -> None:
        """Count base64 content by its type. Only images are bounded by their number."""
        if type(data) is not str:
            fields.refuse_type(data, "a string of base64", param)
        if type(mime) is str and mime[:6].lower() == "image/":
            self.images += 1
            self.inline_bytes += len(data)
        else:
            self.has_remote = True  # compressed text, sound and film are not bounded by bytes

    def link(self, url: Any, param: str) -> None:
        """Count content that the vendor fetches; refuse what only a shared credential opens."""
        if type(url) is not str:
            fields.refuse_type(url, "a string", param)
        if url[:5].lower() == "data:":
            self.has_remote = True
            return
        scheme = url[:8].lower()
        if not scheme.startswith(("http://", "https://")) or _VENDOR_LINK.match(url):
            fields.refuse_handle(param)
        self.has_remote = True

    def link_or_data(self, value: Any, param: str) -> None:
        """Count a document: a data URL, a link, or base64 without a frame."""
        if type(value) is str and "://" in value[:16]:
            self.link(value, param)
        else:
            self.has_remote = True

    def searches(self, limit: int | None) -> None:
        """Count the searches that a tool may make, and what they bring into the prompt."""
        uses = TOOL_USES_BOUND if limit is None else limit
        self.fees[UnitClass.WEB_SEARCH] = self.fees.get(UnitClass.WEB_SEARCH, 0) + uses
        self.has_remote = True

    def other(self, value: Any, param: str) -> None:
        """Walk a structure whose type is not known here: no handle, and no bound by bytes."""
        self.has_remote = True
        stack = [(value, param)]
        while stack:
            node, where = stack.pop()
            if type(node) is list:
                stack += [(item, f"{where}[{index}]") for index, item in enumerate(node)]
            elif type(node) is dict:
                for key, item in node.items():
                    self._other_member(key, item, f"{where}.{key}")
                    if key not in _OPAQUE_KEYS and type(item) in (dict, list):
                        stack.append((item, f"{where}.{key}"))

    def _other_member(self, key: str, item: Any, param: str) -> None:
        if key in HANDLE_KEYS and item not in (None, "", [], {}, False):
            fields.refuse_handle(param)
        if key in _LINK_KEYS and type(item) is str:
            self.link(item, param)


def service_tier(value: Any, param: str = "service_tier") -> str:
    """Read the tier in our words; whatever vendors call the ordinary one is "standard"."""
    if value is None:
        return "standard"
    if type(value) is not str:
        fields.refuse_type(value, "a string", param)
    tier = value.lower().removeprefix("service_tier_")
    return "standard" if tier in _ORDINARY_TIERS else tier[:16]


_ORDINARY_TIERS: Final = frozenset(
    {"", "auto", "default", "standard", "standard_only", "on_demand", "unspecified"}
)


def token_header(headers: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Split a header that lists values with commas."""
    return tuple(part for item in headers.get(name, "").split(",") if (part := item.strip()))


def refuse_beta(header: str, value: str, why: str) -> None:
    """Raise a 400 about a beta value: it is never dropped in silence."""
    shown = value if re.fullmatch(r"[\w.=-]{1,64}", value) else "a value"
    fields.refuse(
        Code.UNKNOWN_BETA,
        f"The header `{header}` names {shown!r}, {why}. Remove it from the header.",
        header,
    )
