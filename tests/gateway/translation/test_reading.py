"""What the readers of one body share."""

from gateway.translation.dropped import Dropped
from gateway.translation.reading import Reading
from gateway.translation.tool_names import ToolNames


def test_nothing_is_custom_and_no_audio_taken_unless_said() -> None:
    reading = Reading(names=ToolNames(), dropped=Dropped())

    assert (reading.custom, reading.audio) == (frozenset(), False)
