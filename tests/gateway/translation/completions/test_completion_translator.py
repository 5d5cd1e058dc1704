"""Laws of a completions stream: the same at every cut, and by either way, honest when cut off."""

import json
from typing import Any

from hypothesis import given
from support import answers
from support import upstream_says as says
from support.playbook import in_pieces, messages, pumped, sse, transcript, truncated_at_every_byte

from codex_proapi.gateway.translation.completions.aggregator import CompletionAggregator
from codex_proapi.gateway.translation.completions.options import CompletionOptions
from codex_proapi.gateway.translation.completions.translator import CompletionTranslator

STREAM = transcript("text_reasoning_tool")
MADE: dict[str, Any] = {"completion_id": "cmpl-1", "created": 7, "model": "asked-model"}


def translator(**options: Any) -> CompletionTranslator:
    return CompletionTranslator(CompletionOptions(**options), **MADE)


def chunks(data: bytes) -> list[Any]:
    """The chunks of a stream that ended well."""
    *told, done, rest = data.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(each.removeprefix(b"data: ")) for each in told]


def test_a_stream_has_the_fields_of_the_public_api() -> None:
    stream = sse(says.created(), says.text("Hel"), says.text("lo"), says.completed())

    told = chunks(pumped(translator(include_usage=True, echo="Say: "), [stream]))

    shared = {"id": "cmpl-1", "object": "text_completion", "created": 7, "model": "asked-model"}
    texts = ("Say: ", None), ("Hel", None), ("lo", None), ("", "stop")
    assert told[:-1] == [
        {
            **shared,
            "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": reason}],
        }
        for text, reason in texts
    ]
    assert {**told[-1], "usage": told[-1]["usage"]["total_tokens"]} == {
        **shared,
        "choices": [],
        "usage": 120,
    }


def test_the_sample_stream_is_the_same_at_every_cut() -> None:
    expected = translator(echo="ask").feed(STREAM)

    for cut in range(len(STREAM)):
        assert pumped(translator(echo="ask"), in_pieces(STREAM, cut)) == expected


def test_a_stream_cut_off_at_any_byte_has_no_finish_reason() -> None:
    for cut, out, _ in truncated_at_every_byte(translator, STREAM):
        if cut < len(STREAM) - 2:
            assert b'finish_reason":"' not in out
            assert b'{"error":' in out


@given(answers.answers())
def test_the_fast_path_and_a_whole_answer_say_what_the_slow_path_says(
    bodies: list[says.Body],
) -> None:
    stream = answers.encoded(bodies)
    fast, slow = translator(), translator()
    whole = CompletionAggregator(CompletionOptions(), **MADE)

    said, again = pumped(fast, [stream]), pumped(slow, [answers.unnamed(stream)])

    assert messages(said) == messages(again)
    assert fast.report == slow.report
    if said.endswith(b"data: [DONE]\n\n"):
        whole.feed(stream)
        [choice] = json.loads(whole.finish())["choices"]
        assert choice["text"] == "".join(each["choices"][0]["text"] for each in chunks(said))


def test_options_do_not_show_the_prompt() -> None:
    assert "canary" not in repr(CompletionOptions(echo="canary"))


def test_commentary_is_no_part_of_a_structured_answer() -> None:
    commentary = {**says.message("I look."), "phase": "commentary"}
    bodies = says.done(commentary), says.done(says.message("{}", id_="msg_2"), at=1)
    stream = sse(says.created(), *bodies, says.completed())

    texts = [
        "".join(c["text"] for chunk in told for c in chunk["choices"])
        for told in (chunks(pumped(translator(structured=s), [stream])) for s in (True, False))
    ]

    assert texts == ["{}", "I look.\n\n{}"]
