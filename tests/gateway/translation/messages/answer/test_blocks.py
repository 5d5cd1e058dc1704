"""One block at a time, in the order they were opened, whatever order their pieces have."""

from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.gateway.formats.anthropic.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    text_block,
    text_delta,
)
from codex_proapi.gateway.translation.messages.answer.blocks import BlockQueue


def test_pieces_of_the_first_are_written_as_they_come() -> None:
    queue = BlockQueue()
    block = queue.open(text_block())
    block.waiting.append(text_delta("a"))

    assert queue.take() == [BlockStart(0, text_block()), BlockDelta(0, text_delta("a"))]
    assert queue.current is block
    block.ended = True
    assert queue.take() == [BlockStop(0)]
    assert queue.current is None


def test_later_blocks_wait_for_the_first() -> None:
    queue = BlockQueue()
    first, second = queue.open(text_block()), queue.open(text_block())
    second.waiting.append(text_delta("b"))
    second.ended = True

    assert queue.take() == [BlockStart(0, text_block())]
    first.ended = True
    assert queue.take() == [
        BlockStop(0),
        BlockStart(1, text_block()),
        BlockDelta(1, text_delta("b")),
        BlockStop(1),
    ]


def test_block_that_is_not_ready_does_not_begin_and_may_be_dropped() -> None:
    queue = BlockQueue()
    first, second = queue.open(text_block(), ready=False), queue.open(text_block())

    assert queue.take() == []
    queue.discard(first)
    assert queue.take() == [BlockStart(0, text_block())]
    assert queue.current is second


def test_owner_of_the_last_block_ends_it_before_another_opens() -> None:
    queue = BlockQueue()
    closed: list[int] = []
    queue.open(text_block(), close=lambda: closed.append(1))
    queue.open(text_block())
    queue.close_tail()

    assert closed == [1]


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["piece", "end", "ready", "take"]))))
def test_events_are_always_well_formed(steps) -> None:
    queue = BlockQueue()
    blocks = [queue.open(text_block(), ready=number % 2 == 0) for number in range(5)]
    events = []
    for number, step in steps:
        block = blocks[number]
        if step == "piece" and not block.ended:
            block.waiting.append(text_delta(str(number)))
        block.ended = block.ended or (step == "end" and block.ready)
        block.ready = block.ready or step == "ready"
        events += queue.take() if step == "take" else []
    for block in blocks:
        block.ready = block.ended = True
    events += queue.take()

    opened = -1
    is_open = False
    for event in events:
        match event:
            case BlockStart():
                assert (not is_open, event.index) == (True, opened + 1)
                opened, is_open = event.index, True
            case BlockDelta(delta=delta):
                assert (event.index, delta["text"]) == (opened, str(opened))
            case BlockStop():
                assert (is_open, event.index) == (True, opened)
                is_open = False
            case _:
                raise AssertionError(event)
    assert (opened, is_open) == (4, False)
