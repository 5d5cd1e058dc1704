import pytest

from codex_proapi.simulator.answers.parts import Call, Message


def test_a_part_is_a_value() -> None:
    assert Message(text="hi") == Message(text="hi", phase="final_answer")
    with pytest.raises(AttributeError):
        Call(name="look", arguments="{}").name = "other"  # type: ignore[misc]
