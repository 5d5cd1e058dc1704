"""A history as one text."""

from support.askings import PIXEL, assistant, call, developer, result, user

from codex_proapi.gateway.translation.history.transcript import flattened

IMAGE = {"type": "input_image", "image_url": PIXEL}
FILE = {
    "type": "input_file",
    "filename": "a.pdf",
    "file_data": "data:application/pdf;base64,JVBERi0=",
}
TRIGGER = {"type": "compaction_trigger"}


def test_every_message_is_a_line() -> None:
    assert flattened([developer("Be brief."), user("hi"), assistant("hello"), user("more")]) == [
        user("System: Be brief.\nUser: hi\nAssistant: hello\nUser: more")
    ]


def test_calls_and_results_are_lines_too() -> None:
    custom = {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** Begin"}
    done = {"type": "custom_tool_call_output", "call_id": "c2", "output": "ok"}

    assert flattened([call("c1", "read", '{"a":1}'), result("c1", "text"), custom, done]) == [
        user(
            'Assistant: [calls read as c1] {"a":1}\n'
            "User: [result of c1] text\n"
            "Assistant: [calls patch as c2] *** Begin\n"
            "User: [result of c2] ok"
        )
    ]


def test_images_and_files_follow_the_text_that_mentions_them() -> None:
    shown = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "see"}, IMAGE, FILE],
    }

    assert flattened([shown, call("c", "f"), result("c", [IMAGE])]) == [
        {
            "type": "message",
            "role": "user",
            "content": [
                {
                    "type": "input_text",
                    "text": "User: see\n[attachment 1]\n[attachment 2]\n"
                    "Assistant: [calls f as c] {}\n"
                    "User: [result of c] [attachment 3]",
                },
                IMAGE,
                FILE,
                IMAGE,
            ],
        }
    ]


def test_reasoning_is_left_out_and_what_no_text_can_say_stays_around_it() -> None:
    compaction = {"type": "compaction", "encrypted_content": "E"}
    search = {"type": "web_search_call", "status": "completed"}
    thought = {"type": "reasoning", "summary": [], "encrypted_content": "E"}

    assert flattened([compaction, user("hi"), thought, search, TRIGGER]) == [
        compaction,
        search,
        user("User: hi"),
        TRIGGER,
    ]


def test_without_a_word_there_is_no_text() -> None:
    compaction = {"type": "compaction", "encrypted_content": "E"}

    assert flattened([compaction, TRIGGER]) == [compaction, TRIGGER]
