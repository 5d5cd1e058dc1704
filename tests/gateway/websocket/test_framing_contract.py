"""What is used of websockets beyond its documented interface; to be looked at after an upgrade."""

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol


def test_the_buffer_holds_what_is_not_a_whole_frame() -> None:
    framing = ServerProtocol(state=State.OPEN)
    data = Frame(Opcode.TEXT, b"hello").serialize(mask=True)

    framing.receive_data(data[:-1])
    assert len(framing.reader.buffer) > 0
    framing.receive_data(data[-1:])

    assert len(framing.reader.buffer) == 0
    [event] = framing.events_received()
    assert isinstance(event, Frame)
    assert event.data == b"hello"


def test_an_empty_piece_says_that_nothing_more_is_sent() -> None:
    framing = ServerProtocol(state=State.OPEN, max_size=3)
    framing.receive_data(Frame(Opcode.TEXT, b"hello").serialize(mask=True))

    assert framing.data_to_send()[-1] == b""
