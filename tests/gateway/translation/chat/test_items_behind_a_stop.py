"""What still comes of other items when the text has reached a stop sequence."""

from support import answers
from support import upstream_says as says

from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.chat.translator import ChatTranslator


def test_nothing_follows_the_finish_reason_of_a_stop_sequence() -> None:
    translator = ChatTranslator(
        ChatOptions(stop=("STOP",)), completion_id="chatcmpl-1", created=7, model="gpt-5.5"
    )
    told = [
        says.created(),
        says.added(says.message(), at=0),
        says.added(says.call("look"), at=1),
        says.arguments('{"a"', item="fc_1", at=1),
        says.text("before STOP behind"),
        says.arguments(":1}", item="fc_1", at=1),
    ]
    written = b"".join(translator.feed(answers.encoded([body])) for body in told)
    assert b'"finish_reason":"stop"' in written
    assert b'"tool_calls"' not in written.split(b'"finish_reason":"stop"')[1]


def test_no_reasoning_follows_either() -> None:
    translator = ChatTranslator(
        ChatOptions(stop=("STOP",)), completion_id="chatcmpl-1", created=7, model="gpt-5.5"
    )
    told = [
        says.created(),
        says.thought("a thought"),
        says.text("before STOP behind", at=1),
        says.thought("another"),
    ]
    written = b"".join(translator.feed(answers.encoded([body])) for body in told)
    assert b"a thought" in written
    assert b"another" not in written
