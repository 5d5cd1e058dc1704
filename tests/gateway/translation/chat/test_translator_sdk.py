"""What the official SDK makes of a chat stream."""

import openai
import pytest
from support import sdk_clients
from support import upstream_says as says
from support.chat_translators import translator
from support.playbook import (
    pumped,
    sse,
)


@pytest.mark.parametrize(
    ("bodies", "content", "arguments", "reason"),
    [
        ((says.text("Hel"), says.text("lo")), "Hello", [], "stop"),
        ((says.done(says.message("Hi")),), "Hi", [], "stop"),
        (
            (
                says.done(says.call("a", "{}")),
                says.added(says.call("b", id_="fc_2", call_id="call_2"), at=1),
                says.arguments('{"x":', item="fc_2", at=1),
                says.arguments("1}", item="fc_2", at=1),
            ),
            "",
            ["{}", '{"x":1}'],
            "tool_calls",
        ),
    ],
)
def test_the_official_helper_puts_the_answer_together(
    bodies: tuple[says.Body, ...], content: str, arguments: list[str], reason: str
) -> None:
    stream = pumped(
        translator(include_usage=True), [sse(says.created(), *bodies, says.completed())]
    )

    with sdk_clients.client(stream).chat.completions.stream(
        model="m", messages=[{"role": "user", "content": "x"}]
    ) as helper:
        answer = helper.get_final_completion()

    message = answer.choices[0].message
    assert (message.content or "", answer.choices[0].finish_reason) == (content, reason)
    assert [call.function.arguments for call in message.tool_calls or []] == arguments
    assert answer.usage is not None
    assert answer.usage.total_tokens == 120


def test_the_official_helper_merges_citations() -> None:
    cited = [{"type": "url_citation", "url": f"https://{x}.example"} for x in "ab"]
    message = says.message("x", annotations=tuple(cited))
    stream = pumped(translator(), [sse(says.text("x"), says.done(message), says.completed())])

    with sdk_clients.client(stream).chat.completions.stream(
        model="m", messages=[{"role": "user", "content": "x"}]
    ) as helper:
        found = helper.get_final_completion().choices[0].message.annotations or []

    assert [one.url_citation.url for one in found] == ["https://a.example", "https://b.example"]


def test_the_official_sdk_raises_at_a_failure() -> None:
    stream = pumped(translator(), [sse(says.text("x"), says.failed("server_error", "Broke."))])

    with (
        pytest.raises(openai.APIError, match="Broke"),
        sdk_clients.client(stream).chat.completions.stream(
            model="m", messages=[{"role": "user", "content": "x"}]
        ) as helper,
    ):
        helper.until_done()
