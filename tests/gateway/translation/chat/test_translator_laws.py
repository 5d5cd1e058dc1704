"""Laws of a chat stream: the same at every cut, readable by a strict client, honest when cut off."""

from hypothesis import given
from support import answers
from support import upstream_says as says
from support.chat_translators import STREAM, translator
from support.playbook import (
    deltas,
    in_pieces,
    messages,
    pumped,
    truncated_at_every_byte,
)

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.commons.usage.token_counts import Tokens


def test_the_sample_stream_is_the_same_at_every_cut() -> None:
    expected = translator().feed(STREAM)

    for cut in range(len(STREAM)):
        assert pumped(translator(), in_pieces(STREAM, cut)) == expected


def test_the_sample_stream_is_the_same_byte_by_byte() -> None:
    pieces = [STREAM[i : i + 1] for i in range(len(STREAM))]

    assert pumped(translator(), pieces) == translator().feed(STREAM)


def test_a_stream_cut_off_at_any_byte_has_an_honest_ending() -> None:
    whole = translator().feed(STREAM)
    error = b'data: {"error":{"message":"The backend\'s stream ended before the answer did."'

    for cut, out, chat in truncated_at_every_byte(translator, STREAM):
        if cut >= len(STREAM) - 2:  # only the blank line is missing, or nothing
            assert out == whole
            continue
        said, _, ending = out.rpartition(b"data: ")
        assert whole.startswith(said)
        assert (b"data: " + ending).startswith(error)
        assert b'finish_reason":"' not in said
        assert chat.report.ending is Ending.BROKEN
        assert chat.report.code == "upstream_stream_truncated"


@given(answers.streams(), answers.cuts)
def test_any_cut_gives_the_same_bytes(stream: bytes, cuts: list[int]) -> None:
    assert pumped(translator(), in_pieces(stream, *cuts)) == pumped(translator(), [stream])


@given(answers.answers())
def test_the_fast_path_says_what_the_slow_path_says(bodies: list[says.Body]) -> None:
    stream = answers.encoded(bodies)
    fast, slow = translator(include_usage=True), translator(include_usage=True)

    assert deltas(pumped(fast, [stream])) == deltas(pumped(slow, [answers.unnamed(stream)]))
    assert fast.report == slow.report


@given(answers.streams())
def test_whatever_comes_in_a_strict_client_can_read_what_goes_out(stream: bytes) -> None:
    chat = translator(include_usage=True)
    out = messages(pumped(chat, [stream]))

    failed = [m for m in out if m != "[DONE]" and "error" in m]
    reasons = [
        m["choices"][0]["finish_reason"]
        for m in out
        if m != "[DONE]" and m.get("choices") and m["choices"][0]["finish_reason"]
    ]
    if failed:
        assert out[-1] == failed[0]
        assert reasons == []
        assert chat.report.ending is Ending.BROKEN
    else:
        assert out[-1] == "[DONE]"
        assert len(reasons) == 1
        assert chat.report.ending in (Ending.WHOLE, Ending.SHORT)


@given(answers.answers())
def test_tokens_are_counted_once(bodies: list[says.Body]) -> None:
    chat = translator()
    pumped(chat, [answers.encoded([*bodies, *bodies])])

    assert chat.report.tokens in (
        None,
        Tokens(input=100, cached=80, cache_write=8, output=20, reasoning=5),
    )
