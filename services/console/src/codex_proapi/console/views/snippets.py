"""Client configuration to paste, for each client. Pure: address, model and key are arguments.

As seen in releases of late 2026: Codex CLI 0.169 speaks /responses only; Claude Code 2.1.332 speaks
/messages, below an address with or without /v1, and assumes a window of a million tokens for
unknown models unless it is configured; Cline and Cursor have a form, not a file; Cursor calls from
its own servers.
"""

import re
from collections.abc import Mapping

import msgspec

from codex_proapi.console.texts.phrases import N_

KEY = "YOUR_KEY"
"""Stands for the key until there is one."""
_SLOT = re.compile(r"\{(base_url|model|key)\}")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do: a sentence, a field to fill, or code to paste."""

    text: str = ""
    """What to do, untranslated."""
    field: str = ""
    """Name of the field in the client's form."""
    file: str = ""
    """Where the code belongs."""
    shell: str = ""
    """Which shell runs it."""
    parts: tuple[tuple[str, str], ...] = ()
    """The code in pieces: the text, and which slot it fills (empty: none)."""


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to do for one client."""

    id: str
    title: str
    steps: tuple[Step, ...]
    warning: str = ""
    """What to know first, untranslated."""


def snippets(*, base_url: str, model: str, key: str = KEY) -> tuple[Snippet, ...]:
    """Every client, filled in."""
    slots = {"base_url": base_url, "model": model, "key": key}

    return tuple(
        Snippet(
            id=client_id,
            title=title,
            warning=_WARNINGS.get(client_id, ""),
            steps=tuple(
                Step(parts=_parts(code.strip("\n"), slots), **where)
                for code, where in _STEPS[client_id]
            ),
        )
        for client_id, title in CLIENTS.items()
    )


CLIENTS: Mapping[str, str] = {
    "codex": "Codex CLI",
    "claude": "Claude Code",
    "cline": "Cline",
    "cline-anthropic": "Cline (Anthropic)",
    "zed": "Zed",
    "cursor": "Cursor",
    "continue": "Continue",
    "aider": "aider",
    "opencode": "opencode",
    "python": "OpenAI Python",
    "node": "OpenAI Node.js",
    "anthropic-python": "Anthropic Python",
    "anthropic-node": "Anthropic Node.js",
    "curl": "curl (bash)",
    "powershell": "curl (PowerShell)",
}
"""The clients, in the order of the page."""

_WARNINGS = {
    "zed": N_(
        "Zed keeps one address for Anthropic: Claude models of your own account are not reached while it is set."
    ),
    "cursor": N_(
        "Cursor calls from its own servers, so this address must be reachable from the internet"
        " by https; a private address will not work."
    ),
}

_CODEX = """
model = "{model}"
model_provider = "codex-proapi"

[model_providers.codex-proapi]
name = "Codex Pro API"
base_url = "{base_url}"
wire_api = "responses"
env_key = "CODEX_PROAPI_KEY"
supports_websockets = true
"""
_CLAUDE_BASH = """
export ANTHROPIC_BASE_URL={base_url}
export ANTHROPIC_AUTH_TOKEN={key}
export ANTHROPIC_DEFAULT_OPUS_MODEL={model}
export ANTHROPIC_DEFAULT_SONNET_MODEL={model}
export CLAUDE_CODE_MAX_CONTEXT_TOKENS=272000
export CLAUDE_CODE_GATEWAY_HINT_HEADERS=1
export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
claude --model {model}
"""
_CLAUDE_POWERSHELL = """
$env:ANTHROPIC_BASE_URL = "{base_url}"
$env:ANTHROPIC_AUTH_TOKEN = "{key}"
$env:ANTHROPIC_DEFAULT_OPUS_MODEL = "{model}"
$env:ANTHROPIC_DEFAULT_SONNET_MODEL = "{model}"
$env:CLAUDE_CODE_MAX_CONTEXT_TOKENS = "272000"
$env:CLAUDE_CODE_GATEWAY_HINT_HEADERS = "1"
$env:CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC = "1"
claude --model {model}
"""
_CONTINUE = """
name: Codex Pro API
version: 1.0.0
schema: v1
models:
  - name: {model}
    provider: openai
    model: {model}
    apiBase: {base_url}
    apiKey: {key}
    roles: [chat, edit, apply]
"""
_AIDER_BASH = """
export OPENAI_API_BASE={base_url}
export OPENAI_API_KEY={key}
aider --model openai/{model}
"""
_AIDER_POWERSHELL = """
$env:OPENAI_API_BASE = "{base_url}"
$env:OPENAI_API_KEY = "{key}"
aider --model openai/{model}
"""
_OPENCODE = """
{
  "$schema": "https://opencode.ai/config.json",
  "provider": {
    "codex-proapi": {
      "npm": "@ai-sdk/openai-compatible",
      "name": "Codex Pro API",
      "options": { "baseURL": "{base_url}", "apiKey": "{key}" },
      "models": { "{model}": {} }
    }
  },
  "model": "codex-proapi/{model}"
}
"""
_PYTHON = """
from openai import OpenAI

client = OpenAI(base_url="{base_url}", api_key="{key}")

stream = client.chat.completions.create(
    model="{model}",
    messages=[{"role": "user", "content": "Hello"}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
"""
_NODE = """
import OpenAI from "openai";

const client = new OpenAI({ baseURL: "{base_url}", apiKey: "{key}" });

const stream = await client.chat.completions.create({
  model: "{model}",
  messages: [{ role: "user", content: "Hello" }],
  stream: true,
});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}
"""
_ANTHROPIC_PYTHON = """
from anthropic import Anthropic

client = Anthropic(base_url="{base_url}", api_key="{key}")

with client.messages.stream(
    model="{model}",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello"}],
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
"""
_ANTHROPIC_NODE = """
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: "{base_url}", apiKey: "{key}" });

const stream = client.messages.stream({
  model: "{model}",
  max_tokens: 1024,
  messages: [{ role: "user", content: "Hello" }],
});
stream.on("text", (text) => process.stdout.write(text));
await stream.finalMessage();
"""
_ZED = """
{
  "language_models": {
    "anthropic": {
      "api_url": "{base_url}",
      "available_models": [
        {
          "name": "{model}",
          "display_name": "{model}",
          "max_tokens": 272000
        }
      ]
    }
  }
}
"""
_CURL = """
curl -N {base_url}/chat/completions \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "{model}", "stream": true,
       "messages": [{"role": "user", "content": "Hello"}]}'
"""
# A body in a variable, because PowerShell before 7.3 drops the quotes inside an argument.
_POWERSHELL = """
$body = @{
  model = "{model}"
  messages = @(@{ role = "user"; content = "Hello" })
} | ConvertTo-Json -Depth 5

Invoke-RestMethod -Method Post -Uri "{base_url}/chat/completions" `
  -Headers @{ Authorization = "Bearer {key}" } `
  -ContentType "application/json" -Body $body
"""

_STEPS: Mapping[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "codex": (
        (
            _CODEX,
            {"text": N_("Put this at the top of the file:"), "file": "~/.codex/config.toml"},
        ),
        (
            "export CODEX_PROAPI_KEY={key}\ncodex",
            {"text": N_("Give it the key and start it:"), "shell": "bash"},
        ),
        ('$env:CODEX_PROAPI_KEY = "{key}"\ncodex', {"shell": "PowerShell"}),
    ),
    "claude": (
        (_CLAUDE_BASH, {"text": N_("Give it the key and start it:"), "shell": "bash"}),
        (_CLAUDE_POWERSHELL, {"shell": "PowerShell"}),
    ),
    "cline": (
        (
            "OpenAI Compatible",
            {"text": N_("In Cline's settings choose and fill in:"), "field": "API Provider"},
        ),
        ("{base_url}", {"field": "Base URL"}),
        ("{key}", {"field": "OpenAI Compatible API Key"}),
        ("{model}", {"field": "Model ID"}),
    ),
    "cline-anthropic": (
        (
            "Anthropic",
            {"text": N_("In Cline's settings choose and fill in:"), "field": "API Provider"},
        ),
        ("{key}", {"field": "Anthropic API Key"}),
        ("{base_url}", {"field": "Use custom base URL"}),
        (
            "claude-opus-4-5",
            {
                "text": N_(
                    "Any Claude model will do: opus is the best model here, haiku a small one."
                ),
                "field": "Model",
            },
        ),
    ),
    "zed": (
        (
            _ZED,
            {
                "text": N_("Add this to the file (zed: open settings):"),
                "file": "~/.config/zed/settings.json",
            },
        ),
        (
            "{key}",
            {
                "text": N_("Then fill in the key in the agent panel's settings, under Anthropic:"),
                "field": "Anthropic API Key",
            },
        ),
    ),
    "cursor": (
        (
            "{key}",
            {"text": N_("In Cursor Settings → Models → API Keys:"), "field": "OpenAI API Key"},
        ),
        ("{base_url}", {"field": "Override OpenAI Base URL"}),
        ("{model}", {"text": N_("Then add the model by name:"), "field": "Add model"}),
    ),
    "continue": (
        (_CONTINUE, {"text": N_("Add the model to the file:"), "file": "~/.continue/config.yaml"}),
    ),
    "aider": (
        (
            _AIDER_BASH,
            {"shell": "bash"},
        ),
        (
            _AIDER_POWERSHELL,
            {"shell": "PowerShell"},
        ),
    ),
    "opencode": ((_OPENCODE, {"text": N_("Write this file:"), "file": "opencode.json"}),),
    "python": (("pip install openai", {"shell": "bash"}), (_PYTHON, {"file": "hello.py"})),
    "node": (("npm install openai", {"shell": "bash"}), (_NODE, {"file": "hello.mjs"})),
    "anthropic-python": (
        ("pip install anthropic", {"shell": "bash"}),
        (_ANTHROPIC_PYTHON, {"file": "hello.py"}),
    ),
    "anthropic-node": (
        ("npm install @anthropic-ai/sdk", {"shell": "bash"}),
        (_ANTHROPIC_NODE, {"file": "hello.mjs"}),
    ),
    "curl": ((_CURL, {"shell": "bash"}),),
    "powershell": ((_POWERSHELL, {"shell": "PowerShell"}),),
}


def _parts(text: str, slots: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Cut a text at its slots and fill them."""
    parts: list[tuple[str, str]] = []
    at = 0
    for found in _SLOT.finditer(text):
        if found.start() > at:
            parts.append((text[at : found.start()], ""))
        parts.append((slots[found[1]], found[1]))
        at = found.end()
    if at < len(text):
        parts.append((text[at:], ""))
    return tuple(parts)
