"""Refused keys in the log: a mistake is seen at once, guesses do not fill it, and no key is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import Clock

from codex_proapi.commons.usage.log_stream import LogEntry, LogLevel
from codex_proapi.gateway.auth.refused_keys import MOST_ADDRESSES, NEWS, RefusedKeys
from codex_proapi.gateway.errors import BadKey
from codex_proapi.gateway.server.request_context import bind_request


class Refusals:
    """Refused keys and the entries that were told of them."""

    def __init__(self) -> None:
        self.clock = Clock(1_800_000.0)
        self.told: list[LogEntry] = []
        self.refused = RefusedKeys(self.told.append, clock=self.clock)

    def come(self, times: int = 1, *, client: str = "10.0.0.1", secret: str = "cpa-x") -> None:
        for _ in range(times):
            bind_request("req_1", client)
            self.refused.note(BadKey("no"), secret=secret)

    @property
    def details(self) -> list[dict[str, Any]]:
        return [entry.detail for entry in self.told]


@pytest.mark.parametrize(
    ("secret", "key_id", "reason"),
    [
        ("", "", "missing"),
        ("sk-proj-abc", "", "foreign"),
        ("cpa-mistyped", "", "unknown"),
        ("cpa-old", "key_1", "ended"),
    ],
)
def test_a_refusal_says_who_and_what_is_wrong_but_never_the_key(
    secret: str, key_id: str, reason: str
) -> None:
    scene = Refusals()
    bind_request("req_9", "203.0.113.9")
    scene.refused.note(BadKey("no"), secret=secret, key_id=key_id)

    [entry] = scene.told
    assert (entry.event, entry.status, entry.code) == ("key.refused", 401, "invalid_api_key")
    assert (entry.request_id, entry.key_id, entry.level) == ("req_9", key_id, LogLevel.WARNING)
    assert entry.detail == {"ip": "203.0.113.9", "reason": reason}
    assert not secret or secret not in str(entry)


def test_of_an_address_the_first_tenth_and_hundredth_are_told() -> None:
    scene = Refusals()
    scene.come(10)

    assert [detail.get("tries", 1) for detail in scene.details] == [1, 10]


def test_another_address_is_told_by_itself_and_each_again_in_the_next_hour() -> None:
    scene = Refusals()
    scene.come(3)
    scene.come(client="10.0.0.2")
    scene.clock.now += 3600
    scene.come(2)

    assert [detail["ip"] for detail in scene.details] == ["10.0.0.1", "10.0.0.2", "10.0.0.1"]


@given(addresses=st.integers(1, 3000))
def test_guesses_from_everywhere_do_not_fill_the_log(addresses: int) -> None:
    scene = Refusals()
    for number in range(addresses):
        scene.come(client=f"c{number}")

    assert len(scene.told) <= NEWS + 2  # and the 100th and the 1000th
    assert len(scene.refused._told) <= MOST_ADDRESSES + 1
