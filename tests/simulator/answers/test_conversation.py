from support.requests_upstream import a_message

from codex_proapi.simulator.answers.conversation import read_conversation

CALL = {"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "1", "output": "seen"}


def test_the_prompt_is_what_the_user_said_last() -> None:
    talk = read_conversation([a_message("one"), a_message("two", "assistant"), a_message("three")])

    assert talk.prompt == "three"
    assert talk.rounds == 0


def test_what_a_program_put_in_front_is_not_the_prompt() -> None:
    talk = read_conversation(
        [a_message("do it"), a_message("<environment_context>cwd /tmp</environment_context>")]
    )

    assert talk.prompt == "do it"
    assert "cwd /tmp" in talk.surroundings


def test_rounds_count_the_answers_of_tools_since_the_prompt() -> None:
    talk = read_conversation([a_message("go"), CALL, OUTPUT, CALL, OUTPUT, OUTPUT])

    assert talk.rounds == 2
    assert talk.called == ("look", "look")
    assert talk.outputs == ("seen", "seen", "seen")


def test_a_new_prompt_begins_anew() -> None:
    assert read_conversation([a_message("go"), CALL, OUTPUT, a_message("and now?")]).rounds == 0


def test_parts_that_are_no_text_leave_their_name() -> None:
    image = {"type": "message", "role": "user", "content": [{"type": "input_image"}]}

    assert read_conversation([image]).prompt == "[input_image]"


def test_without_a_user_the_last_message_is_the_prompt() -> None:
    assert read_conversation([a_message("rules", "developer")]).prompt == "rules"
    assert read_conversation([OUTPUT]).prompt == ""


def test_a_trigger_at_the_end_asks_for_compaction() -> None:
    assert read_conversation([a_message("go"), {"type": "compaction_trigger"}]).compact


def test_quotes_around_a_whole_prompt_are_not_part_of_it() -> None:
    assert read_conversation([a_message("\"say 'x'\"")]).prompt == "say 'x'"
    assert read_conversation([a_message('"a" and "b"')]).prompt == '"a" and "b"'
