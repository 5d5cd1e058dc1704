"""Texts from outside that stand in one line: names, e-mail addresses, plans. Pure.

Control characters, line breaks and marks that turn the direction of a text would move a cursor,
split a row or have a name read as another one.
"""

import re
from typing import Final

_UNSEEN: Final = r"\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
LINE_PATTERN: Final = rf"^(?![\s\S]*[{_UNSEEN}])"
"""Of a text that has none of them; may be empty."""
NAME_PATTERN: Final = rf"{LINE_PATTERN}[\s\S]*\S"
"""Of one that is not blank, either."""
MOST_EMAIL: Final = 254
"""Characters of an e-mail address."""
MOST_PLAN: Final = 64
MOST_NAME: Final = 100
"""Characters of a name that a person gives."""

_unseen = re.compile(f"[{_UNSEEN}]+")
_name = re.compile(NAME_PATTERN)


def one_line(text: str, most: int) -> str:
    """A text without what cannot be seen, of at most `most` characters."""
    return " ".join(_unseen.sub(" ", text).split())[:most].rstrip()


def is_name(text: str) -> bool:
    """Whether a person may call something so."""
    return len(text.strip()) <= MOST_NAME and _name.search(text) is not None
