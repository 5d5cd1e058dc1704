from websockets.frames import Frame, Opcode

from codex_proapi.gateway.upstream.websocket.frame_splitter import FrameSplitter

MOST = 100_000
TEXTS = [b"{}", b"a" * 125, b"b" * 126, b"c" * 65_535, b"d" * 65_536, b""]


def wire(*frames: Frame) -> bytes:
    return b"".join(frame.serialize(mask=False) for frame in frames)


def text(data: bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.TEXT, data, fin=fin)


def test_text_frames_of_every_length_are_cut_out() -> None:
    found = FrameSplitter(MOST).feed(wire(*map(text, TEXTS)))

    assert found == [(True, data) for data in TEXTS]


def test_any_cut_of_the_bytes_gives_the_same_frames() -> None:
    data = wire(text(b"one"), Frame(Opcode.PING, b"p"), text(b"x" * 300), Frame(Opcode.CLOSE, b""))
    whole = FrameSplitter(MOST).feed(data)
    for size in (1, 2, 3, 7, 50):
        splitter, found = FrameSplitter(MOST), []
        for at in range(0, len(data), size):
            found += splitter.feed(data[at : at + size])
        assert found == whole
    assert [plain for plain, _ in whole] == [True, False, True, False]


def test_the_library_gets_whole_frames_of_what_is_not_plain() -> None:
    fragments = [
        text(b"a", fin=False),
        Frame(Opcode.PING, b""),
        Frame(Opcode.CONT, b"b", fin=False),
        Frame(Opcode.CONT, b"c"),
    ]
    found = FrameSplitter(MOST).feed(wire(*fragments, text(b"next")))

    assert found == [*((False, wire(each)) for each in fragments), (True, b"next")]


def test_a_text_within_a_fragmented_message_is_the_librarys_to_refuse() -> None:
    first, within = text(b"a", fin=False), text(b"whole")

    assert FrameSplitter(MOST).feed(wire(first, within)) == [
        (False, wire(first)),
        (False, wire(within)),
    ]


def test_what_breaks_the_protocol_goes_to_the_library_with_all_that_follows() -> None:
    masked = text(b"masked").serialize(mask=True)
    oversized = wire(text(b"x" * (MOST + 1)))[:20]
    for broken in (masked, oversized):
        splitter = FrameSplitter(MOST)
        assert splitter.feed(wire(text(b"before")) + broken) == [(True, b"before"), (False, broken)]
        assert splitter.feed(b"after") == [(False, b"after")]
