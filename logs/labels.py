"""Labels that callers give to their requests (pure)."""

import re

LABEL_CHARS_MAX = 64
LABEL_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9._:/@-]{{0,{LABEL_CHARS_MAX - 1}}}$"
_LABEL = re.compile(LABEL_PATTERN).fullmatch


def is_label(text: str) -> bool:
    """Tell whether a text may be stored as a label: one short word, never a sentence."""
    return _LABEL(text) is not None
