"""What the readers of one body share."""

from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.tools.tool_names import ToolNames


def test_nothing_is_custom_and_no_audio_taken_unless_said() -> None:
    reading = TranslationContext(names=ToolNames(), dropped=Dropped())

    assert (reading.custom, reading.audio) == (frozenset(), False)
