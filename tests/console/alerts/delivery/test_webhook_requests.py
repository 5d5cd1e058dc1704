"""The requests of every shape, and what their answers mean."""

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from codex_proapi.console.alerts.delivery.messages import message_of
from codex_proapi.console.alerts.delivery.webhook_requests import answer_code, webhook_request
from codex_proapi.console.alerts.destinations import Secrets, Shape
from codex_proapi.console.alerts.kinds import AlertKind, Notification, Phase, Subject
from codex_proapi.console.texts.language import Language

NOW = 1_790_000_000
TOLD = Notification(
    id="ntf_1",
    kind=AlertKind.ACCOUNT_SIGN_IN,
    phase=Phase.FIRING,
    at=NOW - 9,
    subjects=(Subject(id="acc_1", name="<!channel> a&b", state="sign_in"),),
)


def request_of(shape: Shape, secret: str = "") -> Any:
    opened = Secrets(destination="d", address="https://chat.example/hook?k=1", secret=secret)
    message = message_of(TOLD, Language.ENGLISH)
    return webhook_request(shape, opened, TOLD, message, now=NOW)


def mac(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def test_json_is_signed_as_standard_webhooks_has_it() -> None:
    key = b"k" * 32
    made = request_of(Shape.JSON, "whsec_" + base64.b64encode(key).decode())
    body = msgspec.json.decode(made.body)

    assert made.headers["webhook-id"] == body["id"] == "ntf_1"
    signed = f"ntf_1.{NOW}.".encode() + made.body
    assert made.headers["webhook-signature"] == f"v1,{mac(key, signed)}"
    assert made.headers["webhook-timestamp"] == str(NOW)
    assert (body["type"], body["kind"], body["at"]) == ("alert.firing", "account_sign_in", NOW - 9)
    assert body["subjects"] == [{"id": "acc_1", "name": "<!channel> a&b", "state": "sign_in"}]


def test_a_name_is_no_markup_of_slack_or_feishu() -> None:
    slack = msgspec.json.decode(request_of(Shape.SLACK).body)["text"]
    feishu = msgspec.json.decode(request_of(Shape.FEISHU).body)["content"]["text"]

    assert "&lt;!channel&gt; a&amp;b" in slack
    assert "<" not in feishu


def test_feishu_is_signed_in_the_body() -> None:
    body = msgspec.json.decode(request_of(Shape.FEISHU, "s3").body)

    assert body["msg_type"] == "text"
    assert (body["timestamp"], body["sign"]) == (str(NOW), mac(f"{NOW}\ns3".encode(), b""))


def test_dingtalk_is_signed_in_the_query() -> None:
    made = request_of(Shape.DINGTALK, "SEC3")
    query = parse_qs(urlsplit(made.url).query)

    assert msgspec.json.decode(made.body)["msgtype"] == "text"
    stamp = f"{NOW}000"
    expected = mac(b"SEC3", f"{stamp}\nSEC3".encode())
    assert query == {"k": ["1"], "timestamp": [stamp], "sign": [expected]}


@pytest.mark.parametrize(
    ("shape", "status", "body", "code", "again"),
    [
        (Shape.JSON, 200, b"", "delivered", False),
        (Shape.SLACK, 204, b"ok", "delivered", False),
        (Shape.JSON, 301, b"", "redirected", False),
        (Shape.JSON, 404, b"", "http_404", False),
        (Shape.JSON, 429, b"", "http_429", True),
        (Shape.JSON, 503, b"", "http_503", True),
        (Shape.FEISHU, 200, b'{"code":0}', "delivered", False),
        (Shape.FEISHU, 200, b'{"code":19021,"msg":"sign match fail"}', "receiver_refused", False),
        (Shape.FEISHU, 200, b'{"code":11232}', "receiver_refused", True),
        (Shape.FEISHU, 200, b"<html>", "receiver_refused", False),
        (Shape.DINGTALK, 200, b'{"errcode":0,"errmsg":"ok"}', "delivered", False),
        (Shape.DINGTALK, 200, b'{"errcode":310000}', "receiver_refused", False),
    ],
)
def test_what_an_answer_means(
    shape: Shape, status: int, body: bytes, code: str, again: bool
) -> None:
    assert answer_code(shape, status, body) == (code, again)
