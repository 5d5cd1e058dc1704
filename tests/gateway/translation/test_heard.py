"""What was heard once is not said again, whichever way it is named."""

import pytest

from gateway.translation.heard import Heard, Place


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
def test_a_part_is_known_by_its_id_or_by_its_index(noted: Place, asked: Place) -> None:
    heard = Heard()
    assert not heard.has(asked)

    heard.note(noted)

    assert heard.has(asked)


@pytest.mark.parametrize("other", [("msg_2", 1, 0), ("msg_1", 0, 1), (None, None, None)])
def test_other_parts_stay_unheard(other: Place) -> None:
    heard = Heard()
    heard.note(("msg_1", 0, 0))

    assert not heard.has(other)
    assert repr(heard) == "<Heard 2 parts>"
