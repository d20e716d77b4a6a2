"""What the platform API tells of a key and takes for one."""

from bananarouter.openapi.schema import Json, array, maybe, number, obj, text
from routing.managed_keys import LIMIT_USD_MAX, NAME_CHARS_MAX

_USD = number("US dollars.")
RESET = text(
    "When the limit starts over, at midnight UTC; weeks begin on Monday. Null: it holds in total.",
    enum=["daily", "weekly", "monthly"],
)
KEY_FIELDS: Json = {
    "label": text("Its name and its last four characters."),
    "limit": maybe(number("US dollars, of the limit that leaves least; null: none.")),
    "limit_remaining": maybe(_USD),
    "limit_reset": maybe(RESET),
    "limits": array(
        obj(
            {
                "limit": _USD,
                "limit_remaining": _USD,
                "limit_reset": maybe(RESET),
                "resets_at": maybe(text(format="date-time")),
            },
            required=("limit", "limit_remaining", "limit_reset", "resets_at"),
        ),
    ),
    "usage": _USD,
    "usage_daily": number("Since midnight UTC."),
    "usage_weekly": number("Since Monday, UTC."),
    "usage_monthly": number("Since the first, UTC."),
    "expires_at": maybe(text(format="date-time")),
}
KEY_NEEDED = ("label", "limit", "limit_remaining", "usage", "expires_at")
NAME = text("1 to 80 printable characters.", maxLength=NAME_CHARS_MAX, minLength=1)
LIMIT = maybe(number("US dollars; null: none.", minimum=0, maximum=LIMIT_USD_MAX))
