"""What was heard once is not said again, whichever way it is named."""

import pytest

from codex_proapi.gateway.translation.stream.delta_tracker import DeltaTracker, Position


@pytest.mark.parametrize(
    ("noted", "asked"),
    [
        (("msg_1", 0, 0), ("msg_1", 0, 0)),
        (("msg_1", 0, None), ("msg_1", None, 0)),
        (("changing", 0, 0), ("ids", 0, 0)),
        ((None, 0, 0), ("msg_1", 0, None)),
        ((None, None, None), ("msg_1", 0, 0)),
    ],
)
def test_a_part_is_known_by_its_id_or_by_its_index(noted: Position, asked: Position) -> None:
    delivered = DeltaTracker()
    assert not delivered.has(asked)

    delivered.note(noted)

    assert delivered.has(asked)


@pytest.mark.parametrize("other", [("msg_2", 1, 0), ("msg_1", 0, 1), (None, None, None)])
def test_other_parts_stay_unheard(other: Position) -> None:
    delivered = DeltaTracker()
    delivered.note(("msg_1", 0, 0))

    assert not delivered.has(other)
    assert repr(delivered) == "<DeltaTracker at ('msg_1', 0, 0)>"


def test_parts_before_the_latest_stay_known() -> None:
    delivered = DeltaTracker()
    for position in (("msg_1", 0, 0), ("msg_1", 0, 1), ("msg_2", None, None), (None, 5, 2)):
        delivered.note(position)

    assert delivered.has(("msg_1", 9, 0))
    assert delivered.has(("other", 0, 1))
    assert delivered.has(("msg_2", 9, 0))
    assert delivered.has((None, 5, 2))
    assert not delivered.has(("msg_2", 9, 1))
    assert not delivered.has((None, None, None))

    delivered.note((None, None, None))
    delivered.note(("msg_3", 6, 0))
    assert delivered.has(("msg_9", 9, 9))
