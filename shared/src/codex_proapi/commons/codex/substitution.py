"""Whether an answer came from another model than was sent. Pure.

The backend was seen to answer 200 with another model in `response.model`, mostly a smaller one
(CLIProxyAPI#5941, openai/codex#46632). A snapshot's date, or a longer internal name of the same
model, is no substitution.
"""

import re
from typing import Final

_SNAPSHOT: Final = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$")
_SIZES: Final = frozenset({"flash", "lite", "mini", "nano", "pro", "small"})
"""Words behind a model's name that make another model of it: `gpt-5` is not `gpt-5-mini`."""
RESERVE: Final = "gpt-reserve"
"""Sent in place of the name of the model that serves the reserve (help.openai.com 20001499)."""


def is_substitution(sent: str, answered: str, *, stands_for: str = "") -> bool:
    """Whether `answered`, the model that an answer names, is another one than was `sent`.

    False where either is unknown (empty). Where RESERVE was sent, the answer must name it or the model
    it `stands_for`, if that is known.
    """
    if sent == RESERVE and stands_for:
        sent = stands_for
    if sent == answered:
        return False
    sent, answered = _plain(sent), _plain(answered)
    if not sent or not answered or sent == answered or RESERVE in (sent, answered):
        return False
    shorter, longer = sorted((sent, answered), key=len)
    if not longer.startswith(f"{shorter}-"):
        return True
    return longer[len(shorter) + 1 :].split("-", 1)[0] in _SIZES


def _plain(model: str) -> str:
    return _SNAPSHOT.sub("", model.strip().lower())
