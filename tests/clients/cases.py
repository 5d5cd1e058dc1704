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
import openai, os
client = openai.OpenAI(base_url=os.environ["URL"] + "/v1", api_key="k")
answer = client.responses.create(model="gpt-6.2-sol", input="say hello")
images = client.images.generate(prompt="a cat")
assert images.data[0].b64_json
print(answer.output_text)
"""
_LITELLM: Final = """
import litellm, os
answer = litellm.completion(model="anthropic/claude-opus-5-5", api_base=os.environ["URL"], api_key="k",
    messages=[{"role": "user", "content": "say hello"}])
print(answer.choices[0].message.content)
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
_OPENCODE: Final = json.dumps(
    {
        "provider": {
            "proapi": {
                "npm": "@ai-sdk/openai-compatible",
                "options": {"baseURL": "URL_/v1", "apiKey": "k"},
                "models": {"gpt-5.5": {}},
            }
        }
    }
)
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
            *("{bin}/aider", "--model", "openai/gpt-5.5", "--no-git", "--yes-always"),
            *(
                "--no-check-update",
                "--no-analytics",
                "--no-show-model-warnings",
                "--message",
                PROMPT,
            ),
        ),
        python=True,
        environment={"OPENAI_API_BASE": "{url}/v1", "OPENAI_API_KEY": "k"},
        optional=True,
    ),
    Case(
        name="opencode",
        needs=("opencode-ai",),
        command=("{bin}/opencode", "run", "--model", "proapi/gpt-5.5", PROMPT),
        files={"opencode.json": _OPENCODE},
        optional=True,
    ),
)
