import pytest

from codex_proapi.simulator.backend.answer_parts import Call, Words


def test_a_part_is_a_value() -> None:
    assert Words(text="hi") == Words(text="hi", phase="final_answer")
    with pytest.raises(AttributeError):
        Call(name="look", arguments="{}").name = "other"  # type: ignore[misc]
