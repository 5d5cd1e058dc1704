"""Facts reach stdout; secrets and control characters do not."""

import io
import json
import logging
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.commons.runtime.logging import (
    REDACTED,
    TASK_FIELDS,
    configure,
    redact,
    redacted,
)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    configure("info", stream=stream)
    return stream


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_fact_is_one_json_line_with_its_fields_and_those_of_its_task(out: io.StringIO) -> None:
    def told() -> None:
        TASK_FIELDS.set({"request_id": "req_1", "account": "acc_2"})
        structlog.get_logger().info("account.cooled", account="acc_1", seconds=30)

    copy_context().run(told)

    (line,) = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "account.cooled",
        "level": "info",
        "request_id": "req_1",
        "account": "acc_1",
        "seconds": 30,
    }


def test_below_the_threshold_nothing_is_written(out: io.StringIO) -> None:
    structlog.get_logger().debug("a.fact")
    logging.getLogger("library").debug("a word")
    logging.getLogger("httpx").info("HTTP Request: POST https://auth.openai.com/oauth/token")

    assert out.getvalue() == ""


def test_what_libraries_say_of_heads_and_frames_is_never_written() -> None:
    stream = io.StringIO()
    configure("debug", stream=stream)
    structlog.get_logger().debug("a.fact")
    for name in ("websockets.client", "websockets.server", "httpcore.http11", "redis", "any"):
        logging.getLogger(name).debug("> authorization: %s", CANARY)
        logging.getLogger(name).info("< TEXT '%s'", CANARY)

    assert [each["event"] for each in lines(stream)] == ["a.fact"]


def test_libraries_write_the_same_lines(out: io.StringIO) -> None:
    logging.getLogger("library").warning("token %s", "rt_canary_canary")

    (line,) = lines(out)
    assert (line["event"], line["level"]) == (f"token {REDACTED}", "warning")


def test_a_traceback_is_redacted_and_stays_on_one_line(out: io.StringIO) -> None:
    try:
        int("Bearer canary-canary")
    except ValueError:
        structlog.get_logger().exception("task.failed")

    (line,) = lines(out)
    assert "ValueError: invalid literal" in line["exception"]
    assert "canary" not in out.getvalue()


def test_on_a_terminal_lines_are_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    configure("debug", stream=stream)
    structlog.get_logger().info("account.cooled", account="acc_1")

    assert "account.cooled" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def cleaned(**event: Any) -> dict[str, Any]:
    return dict(redact(None, "info", event))


CANARY = "Xq7Canary9Zt"

SECRET_NAMES = [
    *("access_token", "refresh_token", "id_token", "token", "client_secret", "authorization"),
    *("Authorization", "cookie", "set_cookie", "password", "admin_password", "api_key", "apikey"),
    *("encryption_keys", "code", "code_verifier", "state", "session_id", "credential", "key"),
    *("pepper", "sealed", "user_code"),
]

values = st.recursive(
    st.just(CANARY) | st.text(max_size=5) | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(name=st.sampled_from(SECRET_NAMES), value=values, depth=st.integers(0, 3))
def test_what_a_secret_name_holds_is_never_written(name: str, value: Any, depth: int) -> None:
    event: Any = {name: value}
    for _ in range(depth):
        event = {"inner": [event]}

    assert CANARY not in json.dumps(cleaned(**event))


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln",
        "eyJhbGciOiJIUzI1NiJ9",
        "rt_abcdefgh",
        "at-abcdefgh",
        "sk-proj-abcdefgh",
        "cpa-abcdefgh",
        "ac_abcdefgh",
        "gAAAAABmabcdefghijklmnopqrst==",
        "Bearer abc",
    ],
)
@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_what_looks_like_a_secret_is_taken_out_of_any_text(
    secret: str, before: str, after: str
) -> None:
    assert secret not in redacted(f"{before} {secret} {after}")
    assert secret not in str(cleaned(error=f"{before}\n{secret}\n{after}"))


@given(st.text())
def test_a_written_text_is_one_line_without_control_characters(text: str) -> None:
    written = cleaned(message=text, nested=[text])

    assert len(str(written["message"]).splitlines()) <= 1
    assert not any(ord(each) < 32 and each != "\t" for each in written["message"])
    json.dumps(written)


def test_words_of_ours_stay_readable() -> None:
    facts = {
        "code": "refresh_token_reused",
        "state": "active",
        "account": "acc_c9fe2fb5c07f",
        "key_id": "key_9cf9e8e2eaca",
        "tokens": {"input": 5, "output": 7},
        "token_expires_at": 1_795_000_000,
        "password": "",
        "nothing": None,
        "share": 0.5,
        "status": 200,
    }

    assert cleaned(**facts) == facts


def test_a_code_that_is_a_number_or_a_random_text_is_told_apart() -> None:
    assert cleaned(code="429", state="") == {"code": "429", "state": ""}
    assert cleaned(code="ABCD-12345", state="Zm9v_YmFy") == {"code": REDACTED, "state": REDACTED}


def test_objects_are_written_by_their_redacted_description() -> None:
    class Thing:
        def __repr__(self) -> str:
            return "<Thing rt_abcdefgh>"

    assert cleaned(thing=Thing(), many=(Thing(),)) == {
        "thing": f"<Thing {REDACTED}>",
        "many": [f"<Thing {REDACTED}>"],
    }


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(KeyError):
        configure("loud")
