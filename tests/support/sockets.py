"""A client of the Responses API over WebSocket, by another implementation than the gateway's."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec

PATIENCE_SECONDS = 60.0
LAST = {"response.completed", "response.incomplete", "response.failed", "error"}
BETA = {"openai-beta": "responses_websockets=2026-02-06"}
CODEX = {**BETA, "originator": "codex_cli_rs", "session-id": "019a0000-0000-7000-8000-000000000001"}


class Socket:
    """One open connection."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, response: Any) -> None:
        self.ws = ws
        self.headers = response

    async def send(self, frame: Any) -> None:
        await self.ws.send_str(msgspec.json.encode(frame).decode())

    async def receive(self) -> Any:
        """The next frame; the close code once it is closed."""
        message = await self.ws.receive(timeout=PATIENCE_SECONDS)
        if message.type is aiohttp.WSMsgType.TEXT:
            return msgspec.json.decode(message.data)
        return self.ws.close_code

    async def turn(self, **fields: Any) -> list[Any]:
        """The events of one turn, up to its last."""
        await self.send(create(**fields))
        return await self.answer()

    async def answer(self) -> list[Any]:
        found = []
        while True:
            event = await self.receive()
            found.append(event)
            if not isinstance(event, dict) or event["type"] in LAST:
                return found


def create(say: str = "", **fields: Any) -> dict[str, Any]:
    """A frame as the Codex CLI sends it."""
    if say:
        fields["input"] = [user(say)]
    return {
        "type": "response.create",
        "model": "gpt-5.5",
        "instructions": "Be brief.",
        "store": False,
        "stream": True,
        **fields,
    }


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def text_of(events: list[Any]) -> str:
    """What an answer says."""
    return "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")


@contextlib.asynccontextmanager
async def socket_to(
    url: str, headers: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[Socket]:
    """An open connection to /v1/responses of a gateway."""
    async with aiohttp.ClientSession() as session:
        address = url if url.endswith("/responses") else f"{url}/v1/responses"
        async with session.ws_connect(
            address, headers=CODEX if headers is None else headers, max_msg_size=0, **options
        ) as ws:
            yield Socket(ws, ws._response.headers)
