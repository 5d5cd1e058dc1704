"""What an owner agrees to before an account of his joins the pool, and that he has.

A wording that has been agreed to is never changed: another text is another version.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from codex_proapi.commons.owner_terms.terms import Consent
from codex_proapi.console.texts.phrases import N_

WORDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "2026-11": (
        N_("This ChatGPT account is mine, or I may decide about it."),
        N_(
            "This service keeps its login, encrypted, and sends requests of other people to OpenAI "
            "with it, within the terms that I set. They use up its quota."
        ),
        N_(
            "I have read that sharing an account must fit OpenAI's terms of use, and that OpenAI may "
            "limit or close it."
        ),
        N_(
            "I can pause it or take it out at any time; its login is then revoked at OpenAI and "
            "deleted here."
        ),
    ),
}
"""Its sentences by version, untranslated."""
CURRENT: Final = "2026-11"
"""The version that is asked for."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """An owner who signs an account in as his, having agreed."""

    owner: str
    """The owner's id."""
    consent: Consent


def consent_to(wording: str, *, held: Consent, now: float) -> Consent | None:
    """The consent a login is begun with; None if it lacks one.

    Args:
        wording: The version just agreed to; empty is none.
        held: What was agreed to of the account that is signed in again.
        now: Seconds since the epoch.
    """
    if wording == CURRENT:
        return Consent(at=int(now), wording=wording)
    return held if not wording and held.at and held.wording == CURRENT else None
