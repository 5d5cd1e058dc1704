"""The HTTP request that tells a webhook, by its shape, and what its answer means. Pure.

Sources: standardwebhooks.com (JSON), api.slack.com/messaging/webhooks, open.feishu.cn (custom bots:
text, signature in the body), open.dingtalk.com (custom robots: text, signature in the query).
"""

import base64
import binascii
import hashlib
import hmac
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from codex_proapi.console.alerts.delivery.messages import Message
from codex_proapi.console.alerts.destinations import SECRET_PREFIX, Secrets, Shape
from codex_proapi.console.alerts.kinds import Notification, Phase

USER_AGENT: Final = "codex-proapi-alerts"
_RETRIED: Final = frozenset({408, 409, 425, 429})
"""Statuses below 500 after which another try may help."""


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A POST."""

    url: str
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<WebhookRequest of {len(self.body)} bytes>"


def webhook_request(
    shape: Shape, opened: Secrets, notification: Notification, message: Message, *, now: int
) -> WebhookRequest:
    """The request that delivers a notification.

    Args:
        shape: What the receiver understands.
        opened: Its address and secret.
        notification: What is told.
        message: The same in words.
        now: Seconds since the epoch, for the signature.
    """
    url, headers = opened.address, {"content-type": "application/json", "user-agent": USER_AGENT}
    match shape:
        case Shape.SLACK:
            body: dict[str, Any] = {"text": _slack(message.text)}
        case Shape.FEISHU:
            body = {"msg_type": "text", "content": {"text": _without_tags(message.text)}}
            if opened.secret:
                signed = _mac(f"{now}\n{opened.secret}".encode(), b"")
                body = {"timestamp": str(now), "sign": signed, **body}
        case Shape.DINGTALK:
            body = {"msgtype": "text", "text": {"content": message.text}}
            url = _dingtalk(url, opened.secret, now) if opened.secret else url
        case _:
            body = payload_of(notification, message)
    encoded = msgspec.json.encode(body)
    if shape is Shape.JSON:
        headers |= standard_headers(notification.id, opened.secret, encoded, now=now)
    return WebhookRequest(url=url, headers=headers, body=encoded)


def payload_of(notification: Notification, message: Message) -> dict[str, Any]:
    """Our own JSON: docs/alerts.md describes it."""
    facts: dict[str, Any] = msgspec.to_builtins(notification)
    kind = facts.pop("kind")
    phase = facts.pop("phase")
    about = {} if notification.phase is Phase.TEST else {"kind": kind}
    return {
        "id": notification.id,
        "type": f"alert.{phase}",
        **about,
        "at": notification.at,
        "title": message.title,
        "text": message.text,
        "subjects": facts.get("subjects", []),
        "more": notification.more,
    }


def standard_headers(message_id: str, secret: str, body: bytes, *, now: int) -> dict[str, str]:
    """Headers of Standard Webhooks: id, time, and HMAC-SHA256 over `id.time.body`."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(now)}
    if secret:
        signed = _mac(key_of(secret), f"{message_id}.{now}.".encode() + body)
        headers["webhook-signature"] = f"v1,{signed}"
    return headers


def key_of(secret: str) -> bytes:
    """The bytes of a secret: base64 after `whsec_`, else the text itself."""
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            pass
    return secret.encode()


def answer_code(shape: Shape, status: int, body: bytes) -> tuple[str, bool]:
    """What an answer means: `delivered` or why not, and whether another try may help.

    Feishu and DingTalk answer 200 also where they refuse; their body tells.
    """
    if 300 <= status < 400:  # noqa: PLR2004 - redirections, which are not followed
        return "redirected", False
    if not 200 <= status < 300:  # noqa: PLR2004
        return f"http_{status}", status >= 500 or status in _RETRIED  # noqa: PLR2004
    if shape in (Shape.FEISHU, Shape.DINGTALK):
        try:
            said = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.MsgspecError:
            return "receiver_refused", False
        code = said.get("errcode", said.get("code", said.get("StatusCode", 0)))
        if code != 0:
            return "receiver_refused", code in _BUSY
    return "delivered", False


_BUSY: Final = frozenset({-1, 9499, 11232, 130101})
"""Codes of Feishu and DingTalk for too many messages, or a system that is busy."""


def _dingtalk(url: str, secret: str, now: int) -> str:
    stamp = str(now * 1000)
    sign = _mac(secret.encode(), f"{stamp}\n{secret}".encode())
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query), ("timestamp", stamp), ("sign", sign)])
    return urlunsplit(parts._replace(query=query))


def _mac(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def _slack(text: str) -> str:
    """Text without Slack's markup: an account may be called `<!channel>`."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without_tags(text: str) -> str:
    """Text without Feishu's tags: an account may be called `<at user_id="all">`."""
    return text.replace("<", "\u2039").replace(">", "\u203a")
