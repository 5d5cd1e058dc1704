"""POST /v1/messages/count_tokens: an estimate made here, without an account, a limit or a record.

Claude Code asks dozens at once to show what fills its context.
"""

from functools import partial

from codex_proapi.commons.http.connection.request_cycle import ClientGone
from codex_proapi.gateway.api.dialects.messages import MESSAGES
from codex_proapi.gateway.auth.caller import Caller
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.exchange.serve import ExchangeService
from codex_proapi.gateway.formats.anthropic.request import message_list
from codex_proapi.gateway.formats.client_body import decode_body
from codex_proapi.gateway.server.asgi import Receive, Scope, Send, headers_of, send_response
from codex_proapi.gateway.server.body_budget import BodyHold, check_values
from codex_proapi.gateway.server.body_threads import work_on
from codex_proapi.gateway.server.read_body import read_body as receive_body
from codex_proapi.gateway.server.sink import HttpSink
from codex_proapi.gateway.translation.messages.request.token_count import count_tokens
from codex_proapi.gateway.translation.request.request_reader import DECODING_ERRORS, unreadable


class CountTokens:
    """The route that counts the tokens of a Messages body."""

    def __init__(self, service: ExchangeService) -> None:
        self._service = service

    def __repr__(self) -> str:
        return "<CountTokens>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """Serve one request."""
        headers = headers_of(scope)
        sink = HttpSink(send, request_id, MESSAGES)
        hold = BodyHold()
        try:
            hold = self._service.hold_body(await self._service.authenticate(Caller.of(headers)))
            body = await receive_body(receive, headers, hold=hold)
            counted = await work_on(body, partial(_counted, body), turn=hold.turn)
        except ClientGone:
            return
        except GatewayError as error:
            await sink.fail(error)
            return
        finally:
            hold.release()
        await send_response(
            send,
            200,
            b'{"input_tokens":%d}' % counted,
            request_id=request_id,
            headers=[(MESSAGES.id_header, request_id.encode())],
        )


def _counted(data: bytes) -> int:
    """Count a body. Raises BadRequest."""
    check_values(data)
    try:
        body = decode_body(data)
        message_list(body)
        return count_tokens(body)
    except DECODING_ERRORS:
        raise unreadable() from None
