from typing import Any

import msgspec

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.balancing.candidates import Candidate, SelectionInput, Window
from codex_proapi.commons.balancing.select_account import select
from codex_proapi.commons.balancing.strategies import Routing

NOW = 1_790_000_000.0


def test_a_choice_is_made_again_from_the_text_of_its_ballot() -> None:
    cooldown = Cooldown(until=NOW + 60, reason=CooldownReason.QUOTA, since=NOW - 1, code="spent")
    windows = (Window(minutes=300, used=37.5, resets_at=NOW + 3600), Window(minutes=10080, used=9))
    selection_input = SelectionInput(
        now=NOW + 0.123456,
        routing=Routing.LEAST_USED,
        cursor=7,
        reserve=5,
        candidates=(
            Candidate(id="a", weight=0.5, cooldown=cooldown, windows=windows, credits=True),
            Candidate(id="b", windows=windows[:1], full=True),
            Candidate(id="c", windows=windows[1:]),
        ),
    )

    again = msgspec.json.decode(msgspec.json.encode(selection_input), type=SelectionInput)

    assert again == selection_input
    assert select(again) == select(selection_input)


def test_what_is_as_usual_takes_no_room_in_a_log_line() -> None:
    selection_input = SelectionInput(now=NOW, cursor=1, candidates=(Candidate(id="a"),))
    told: Any = msgspec.json.decode(msgspec.json.encode(selection_input))

    assert told == {"now": NOW, "cursor": 1, "standings": [{"id": "a"}]}
