"""Messages for the person who starts the process. On stderr, as stdout has the log."""

from collections.abc import Sequence

from codex_proapi.commons.runtime.line_writer import TextOutput, write_message
from codex_proapi.console.cli.opened_store import OpenedStore
from codex_proapi.local.environment import Start


def goodbye(messages: TextOutput) -> None:
    """Print that the shutdown has begun."""
    write_message(messages, "  stopping: running answers may finish; Ctrl-C again stops at once")


async def welcome(
    start: Start,
    messages: TextOutput,
    *,
    port: int,
    demo: bool,
    announcements: Sequence[str] = (),
) -> None:
    """Print the address, the state, the console's announcements and what to do next."""
    async with OpenedStore(start.console) as store:
        accounts = len(await store.accounts.list())
        has_keys = await store.keys.any()
    host = start.gateway.host
    host_name = "localhost" if host in ("127.0.0.1", "::1", "0.0.0.0") else host
    address = start.gateway.public_url or f"http://{host_name}:{port}"
    lines = [
        f"Codex Pro API runs on {address}" + (" (demo: nothing here is real)" if demo else ""),
        f"  Base URL for clients   {address}/v1",
        f"  Console                {address}/",
        f"  API keys               {_policy(start.gateway.api_key_policy, has_keys=has_keys)}",
        f"  Accounts               {accounts or 'none yet'}",
        f"  Data                   {_data(start)}",
        *(f"  Note: {line}" for line in announcements),
        "",
        *_next_steps(
            address,
            any_accounts=demo or accounts > 0,
            has_keys=has_keys,
            policy=start.gateway.api_key_policy,
        ),
    ]
    write_message(messages, "\n" + "\n".join(f"  {line}".rstrip() for line in lines) + "\n")


def _policy(policy: str, *, has_keys: bool) -> str:
    if policy == "required":
        return "required"
    return "required, as one was made" if has_keys else "any is accepted until the first is made"


def _data(start: Start) -> str:
    return str(start.data_dir) if start.redis is not None else "in the Redis of REDIS_URL"


def _next_steps(address: str, *, any_accounts: bool, has_keys: bool, policy: str) -> list[str]:
    if not any_accounts:
        return [
            "Next: add an account in the console, or",
            "  codex-proapi accounts import ~/.codex/auth.json",
            "Ctrl-C stops.",
        ]
    if has_keys:
        return [f"Point an OpenAI client at {address}/v1 with a key of yours. Ctrl-C stops."]
    if policy == "required":
        return [
            "Next: make an API key in the console, and point an OpenAI client with it at",
            f"  {address}/v1",
            "Ctrl-C stops.",
        ]
    return [f"Point an OpenAI client at {address}/v1 with any key. Ctrl-C stops."]
