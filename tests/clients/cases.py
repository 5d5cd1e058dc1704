"""The clients that are run, what each needs, and what it must say."""

import json
from collections.abc import Mapping
from typing import Final

import msgspec

PROMPT: Final = "say hello"
READ_FILE: Final = "Use the Read tool on {home}/hello.txt"
FILE: Final = {"hello.txt": "the secret is 42\n"}
"""What stands in the folder that a client works in."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One client, headless, with one prompt."""

    name: str
    needs: tuple[str, ...]
    """Packages: of npm, or of PyPI where `python`."""
    command: tuple[str, ...]
    """The command, with `{bin}`, `{url}`, `{model}` filled in; its script is `script`."""
    expects: str = "hello"
    """What its output must contain."""
    python: bool = False
    environment: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    """Files in its home: name to text, filled in like the command."""
    optional: bool = False
    """Whether it is large, and run only if it is named."""


_OPENAI_NODE: Final = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.env.URL + "/v1", apiKey: "k" });
const chat = await client.chat.completions.create({
  model: "gpt-5.5", messages: [{ role: "user", content: "say hello" }], stream: true });
let text = "";
for await (const chunk of chat) text += chunk.choices[0]?.delta?.content ?? "";
const answer = await client.responses.create({ model: "gpt-6.2-sol", input: "say hello" });
console.log(text === answer.output_text ? text : `differs: ${text} ${answer.output_text}`);
"""
_ANTHROPIC_NODE: Final = """
import Anthropic from "@anthropic-ai/sdk";
const client = new Anthropic({ baseURL: process.env.URL, apiKey: "k" });
const asked = { model: "claude-opus-5-5", max_tokens: 64, messages: [{ role: "user", content: "say hello" }] };
const streamed = await client.messages.stream(asked).finalMessage();
const whole = await client.messages.create(asked);
const counted = await client.messages.countTokens({ model: asked.model, messages: asked.messages });
console.log(streamed.content[0].text === whole.content[0].text && counted.input_tokens > 0 ? whole.content[0].text : "differs");
"""
_ANTHROPIC_PYTHON: Final = """
import anthropic, os
client = anthropic.Anthropic(base_url=os.environ["URL"], api_key="k")
asked = dict(model="claude-opus-5-5", max_tokens=64, messages=[{"role": "user", "content": "say hello"}])
with client.messages.stream(**asked) as stream:
    streamed = stream.get_final_message()
whole = client.messages.create(**asked)
listed = [model.id for model in client.models.list()]
assert streamed.content[0].text == whole.content[0].text and "claude-gpt-6.2-sol" in listed
print(whole.content[0].text)
"""
_OPENAI_PYTHON: Final = """
import openai, os, pydantic
client = openai.OpenAI(base_url=os.environ["URL"] + "/v1", api_key="k", max_retries=0)
MODEL = "gpt-6.2-sol"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
FLAT = [{"type": "function", "name": "add", "parameters": SCHEMA}]
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": SCHEMA}}]
class Answer(pydantic.BaseModel):
    answer: str
asked = [{"role": "user", "content": "use the add tool"}]
usage = {"include_usage": True}
with client.chat.completions.stream(model=MODEL, messages=asked, tools=TOOLS, stream_options=usage) as stream:
    first = stream.get_final_completion()
called = first.choices[0].message
assert first.choices[0].finish_reason == "tool_calls" and first.usage.total_tokens
asked += [called.model_dump(exclude_none=True)]
asked += [{"role": "tool", "tool_call_id": c.id, "content": "it is 42"} for c in called.tool_calls]
second = client.chat.completions.create(model=MODEL, messages=asked, tools=TOOLS)
assert "it is 42" in second.choices[0].message.content
hello = [{"role": "user", "content": "say hello"}]
parsed = client.chat.completions.parse(model=MODEL, messages=hello, response_format=Answer)
assert isinstance(parsed.choices[0].message.parsed, Answer)
with client.responses.stream(model=MODEL, input="use the add tool", tools=FLAT) as stream:
    one = stream.get_final_response()
results = [{"type": "function_call_output", "call_id": item.call_id, "output": "it is 42"}
    for item in one.output if item.type == "function_call"]
two = client.responses.create(model=MODEL, previous_response_id=one.id, tools=FLAT, input=results)
assert "it is 42" in two.output_text
assert isinstance(client.responses.parse(model=MODEL, input="say hello", text_format=Answer).output_parsed, Answer)
assert client.responses.retrieve(one.id).id == one.id
assert client.images.generate(prompt="a cat").data[0].b64_json
assert any(model.id == MODEL for model in client.models.list())
try:
    client.chat.completions.create(model="nobody", messages=hello)
except openai.NotFoundError as error:
    assert error.code == "model_not_found" and error.request_id
legacy = client.completions.create(model=MODEL, prompt="say hello", stream=True)
print("".join(chunk.choices[0].text for chunk in legacy if chunk.choices))
"""
_LITELLM: Final = """
import litellm, os
url = os.environ["URL"]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": SCHEMA}}]
for model, base in (("openai/gpt-6.2-sol", url + "/v1"), ("anthropic/claude-opus-5-5", url),
        ("openai/responses/gpt-6.2-sol", url + "/v1")):
    asking = dict(model=model, api_base=base, api_key="k", tools=TOOLS)
    asked = [{"role": "user", "content": "use the add tool"}]
    chunks = list(litellm.completion(messages=asked, stream=True, **asking))
    called = litellm.stream_chunk_builder(chunks, messages=asked).choices[0].message
    asked += [called.model_dump()]
    asked += [{"role": "tool", "tool_call_id": c.id, "content": "it is 42"} for c in called.tool_calls]
    answer = litellm.completion(messages=asked, **asking).choices[0].message.content
    assert "it is 42" in answer, (model, answer)
answer = litellm.responses(model="openai/gpt-6.2-sol", api_base=url + "/v1", api_key="k", input="say hello")
print(answer.output[-1].content[0].text)
"""
_CODEX: Final = """
model = "gpt-6.2-sol"
model_provider = "proapi"
[model_providers.proapi]
name = "proapi"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "PROAPI_KEY"
model_catalog_url = "{url}/v1/models"
"""
_OPTIONS: Final = {"baseURL": "URL_/v1", "apiKey": "k"}
_OPENCODE: Final = json.dumps(
    {
        "provider": {
            name: {"npm": f"@ai-sdk/{package}", "options": _OPTIONS, "models": {model: {}}}
            for name, package, model in (
                ("chat", "openai-compatible", "gpt-5.5"),
                ("responses", "openai", "gpt-6.2-sol"),
                ("messages", "anthropic", "claude-opus-5-5"),
            )
        }
    }
)
"""Its three ways to ask: each reads a file by a tool of its own in a second turn."""
_WHOLE_FILE: Final = "reply with exactly:\n\nhello.txt\n```\nthe secret is 43\n```\n"
"""An answer in which aider finds the new text of a file."""
_CLAUDE: Final = {
    "ANTHROPIC_BASE_URL": "{url}",
    "ANTHROPIC_AUTH_TOKEN": "k",
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "272000",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}
_CLAUDE_COMMAND: Final = ("{bin}/claude", "-p", "--model", "claude-opus-5-5", "--allowedTools")

CASES: Final = (
    Case(
        name="claude",
        needs=("@anthropic-ai/claude-code",),
        command=(*_CLAUDE_COMMAND, "Read", "--", READ_FILE),
        expects="the secret is 42",
        environment=_CLAUDE,
    ),
    Case(
        name="claude-tool-search",
        needs=("@anthropic-ai/claude-code",),
        command=(
            *_CLAUDE_COMMAND,
            "Read,ToolSearch",
            "--",
            "Use the tool search (ToolSearch tool)",
        ),
        expects="Tool loaded",
        environment={**_CLAUDE, "ENABLE_TOOL_SEARCH": "true"},
    ),
    Case(
        name="codex",
        needs=("@openai/codex",),
        command=("{bin}/codex", "exec", "--skip-git-repo-check", PROMPT),
        environment={"PROAPI_KEY": "k", "CODEX_HOME": "{home}"},
        files={"config.toml": _CODEX},
    ),
    Case(
        name="openai-node",
        needs=("openai",),
        command=("node", "case.mjs"),
        files={"case.mjs": _OPENAI_NODE},
    ),
    Case(
        name="anthropic-node",
        needs=("@anthropic-ai/sdk",),
        command=("node", "case.mjs"),
        files={"case.mjs": _ANTHROPIC_NODE},
    ),
    Case(
        name="openai-python",
        needs=("openai",),
        command=("{bin}/python", "case.py"),
        python=True,
        files={"case.py": _OPENAI_PYTHON},
    ),
    Case(
        name="anthropic-python",
        needs=("anthropic",),
        command=("{bin}/python", "case.py"),
        python=True,
        files={"case.py": _ANTHROPIC_PYTHON},
    ),
    Case(
        name="litellm",
        needs=("litellm",),
        command=("{bin}/python", "case.py"),
        python=True,
        files={"case.py": _LITELLM},
        optional=True,
    ),
    Case(
        name="aider",
        needs=("aider-chat",),
        command=(
            *("{bin}/aider", "--model", "openai/gpt-6.2-sol", "--no-git", "--yes-always"),
            *("--no-check-update", "--no-analytics", "--no-show-model-warnings"),
            *("--edit-format", "whole", "--message", _WHOLE_FILE, "hello.txt"),
        ),
        expects="Applied edit to hello.txt",
        python=True,
        environment={"OPENAI_API_BASE": "{url}/v1", "OPENAI_API_KEY": "k"},
        optional=True,
    ),
    *(
        Case(
            name=f"opencode-{model.partition('/')[0]}",
            needs=("opencode-ai",),
            command=("{bin}/opencode", "run", "--model", model, READ_FILE.replace("Read", "read")),
            expects="the secret is 42",
            files={"opencode.json": _OPENCODE},
            optional=True,
        )
        for model in ("chat/gpt-5.5", "responses/gpt-6.2-sol", "messages/claude-opus-5-5")
    ),
)
