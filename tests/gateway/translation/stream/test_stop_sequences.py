"""Text up to the first stop string, however it is cut into deltas."""

import sys

from hypothesis import example, given
from hypothesis import strategies as st
from support.playbook import in_pieces

from codex_proapi.gateway.translation.stream.stop_sequences import StopCutter

texts = st.text(alphabet="ab\n", max_size=20)
stops = st.lists(st.text(alphabet="ab\n", max_size=4), max_size=3).map(tuple)


def test_only_what_may_begin_a_stop_string_is_held_back() -> None:
    cutter = StopCutter(("STOP",))

    assert cutter.feed("Hello S") == "Hello "
    assert cutter.feed("Tx") == "STx"
    assert cutter.feed(" ST") == " "
    assert cutter.flush() == "ST"
    assert cutter.flush() == ""


def test_nothing_passes_after_a_stop_string() -> None:
    cutter = StopCutter(("\n\n", "END"))

    assert cutter.feed("one EN") == "one "
    assert cutter.feed("D two\n\nthree") == ""
    assert cutter.found
    assert cutter.feed("four") == ""
    assert cutter.flush() == ""
    assert repr(cutter) == "<StopCutter found>"


def test_the_first_of_several_stop_strings_to_be_complete_counts() -> None:
    assert StopCutter(("b", "ab")).feed("xaby") == "x"
    assert StopCutter(("b", "abc")).feed("xabc") == "xa"


def test_without_a_stop_string_everything_passes() -> None:
    cutter = StopCutter(("",))

    assert cutter.feed("abc") == "abc"
    assert repr(cutter) == "<StopCutter open>"


@example(text="ab\n", stops=("ab\n", "b"), cuts=[2])
@given(texts, stops, st.lists(st.integers(0, 20), max_size=5))
def test_any_cut_gives_the_text_before_the_first_stop_string(
    text: str, stops: tuple[str, ...], cuts: list[int]
) -> None:
    cutter = StopCutter(stops)
    pieces = [piece.decode() for piece in in_pieces(text.encode(), *cuts)]
    said = "".join(cutter.feed(piece) for piece in pieces) + cutter.flush()

    assert said == first_cut(text, stops)


def first_cut(text: str, stops: tuple[str, ...]) -> str:
    """What is left of a text, found by looking at each of its beginnings in turn.

    A stop string ends the text at the delta that completes it; of those complete by then the one
    that begins first counts.
    """
    for end in range(len(text) + 1):
        begun = [text[:end].find(stop) for stop in stops if stop and stop in text[:end]]
        if begun:
            return text[: min(begun)]
    return text


def test_a_text_that_repeats_the_beginning_of_a_long_one_is_looked_at_once() -> None:
    stop = "x" * 999 + "y"
    cutter = StopCutter((stop,))

    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        said = "".join(cutter.feed("x" * 5) for _ in range(2000))
    finally:
        sys.setprofile(None)

    assert said + cutter.flush() == "x" * 10_000
    assert steps < 2000 * 40
    assert cutter.feed("x" * 998) == ""
    assert cutter.feed("xy no more") == ""
    assert cutter.found
