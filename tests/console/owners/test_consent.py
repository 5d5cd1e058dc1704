"""What an owner agrees to is told by version, and nothing begins without it."""

import pytest

from codex_proapi.commons.owner_terms.terms import Consent
from codex_proapi.console.owners.consent import CURRENT, WORDINGS, consent_to

NOW = 1_795_000_000.5
HELD = Consent(at=5, wording=CURRENT)


@pytest.mark.parametrize(
    ("wording", "held", "consent"),
    [
        (CURRENT, Consent(), Consent(at=1_795_000_000, wording=CURRENT)),
        (CURRENT, HELD, Consent(at=1_795_000_000, wording=CURRENT)),
        ("", HELD, HELD),
        ("", Consent(), None),
        ("", Consent(at=5, wording="2020-01"), None),
        ("", Consent(wording=CURRENT), None),
        ("2020-01", HELD, None),
        ("yes", Consent(), None),
    ],
)
def test_only_the_wording_of_today_counts(
    wording: str, held: Consent, consent: Consent | None
) -> None:
    assert consent_to(wording, held=held, now=NOW) == consent


def test_the_wording_asked_for_is_there() -> None:
    assert WORDINGS[CURRENT]
