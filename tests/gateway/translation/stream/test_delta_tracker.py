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
    assert repr(delivered) == "<DeltaTracker 2 parts>"
