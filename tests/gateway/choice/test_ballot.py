from typing import Any

import msgspec

from commons.accounts.model import Cooldown, CooldownReason
from commons.routing import Routing
from gateway.choice.ballot import Ballot, Standing, Window
from gateway.choice.choose import choose

NOW = 1_790_000_000.0


def test_a_choice_is_made_again_from_the_text_of_its_ballot() -> None:
    cooldown = Cooldown(until=NOW + 60, reason=CooldownReason.QUOTA, since=NOW - 1, code="spent")
    windows = (Window(minutes=300, used=37.5, resets_at=NOW + 3600), Window(minutes=10080, used=9))
    ballot = Ballot(
        now=NOW + 0.123456,
        routing=Routing.LEAST_USED,
        cursor=7,
        reserve=5,
        standings=(
            Standing(id="a", weight=0.5, cooldown=cooldown, windows=windows, credits=True),
            Standing(id="b", half_open=True, windows=windows[:1], full=True),
            Standing(id="c", windows=windows[1:]),
        ),
    )

    again = msgspec.json.decode(msgspec.json.encode(ballot), type=Ballot)

    assert again == ballot
    assert choose(again) == choose(ballot)


def test_what_is_as_usual_takes_no_room_in_a_log_line() -> None:
    ballot = Ballot(now=NOW, cursor=1, standings=(Standing(id="a"),))
    told: Any = msgspec.json.decode(msgspec.json.encode(ballot))

    assert told == {"now": NOW, "cursor": 1, "standings": [{"id": "a"}]}
