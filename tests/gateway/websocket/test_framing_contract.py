"""What is used of websockets beyond its documented interface; to be looked at after an upgrade."""

from websockets import frames, protocol, server

TEXT = frames.Frame(frames.Opcode.TEXT, b"hello").serialize(mask=True)


def test_the_buffer_holds_what_is_not_a_whole_frame() -> None:
    framing = server.ServerProtocol(state=protocol.State.OPEN)

    framing.receive_data(TEXT[:-1])
    assert len(framing.reader.buffer) > 0
    framing.receive_data(TEXT[-1:])

    assert len(framing.reader.buffer) == 0
    [event] = framing.events_received()
    assert isinstance(event, frames.Frame)
    assert event.data == b"hello"


def test_an_empty_piece_says_that_nothing_more_is_sent() -> None:
    framing = server.ServerProtocol(state=protocol.State.OPEN, max_size=3)
    framing.receive_data(TEXT)

    assert framing.data_to_send()[-1] == b""
