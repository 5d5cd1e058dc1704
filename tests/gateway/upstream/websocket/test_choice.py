from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from support.clock import Clock

from codex_proapi.gateway.metrics.transport_figures import TransportFigures
from codex_proapi.gateway.settings import TransportSetting
from codex_proapi.gateway.upstream.websocket.choice import (
    AWAY_SECONDS,
    EXPLORED,
    LEAST_SAMPLES,
    TransportChoice,
)


class Scene:
    def __init__(self, setting: TransportSetting) -> None:
        self.clock = Clock()
        self.first_event = TransportFigures(CollectorRegistry()).first_event
        self.choice = TransportChoice(setting, clock=self.clock, first_event=self.first_event)

    def takes(self, account: str = "ada", *, preferred: bool = True) -> bool:
        return self.choice.decide(account, preferred=preferred).by_socket

    def why(self, account: str = "ada", *, preferred: bool = True) -> str:
        return self.choice.decide(account, preferred=preferred).why

    def prove(self, account: str = "ada") -> None:
        """One POST, then one whole answer over WebSocket."""
        self.choice.posted(account, 1.0)
        assert self.takes(account)
        self.choice.ended(account, whole=True)


@pytest.fixture
def auto() -> Scene:
    return Scene(TransportSetting.AUTO)


@pytest.fixture
def always() -> Scene:
    return Scene(TransportSetting.WEBSOCKET)


def test_http_never_takes_a_socket_and_websocket_always_does(always: Scene) -> None:
    assert not Scene(TransportSetting.HTTP).takes()
    assert always.takes(preferred=False)


def test_auto_begins_with_a_post_and_then_tries_one_turn_at_a_time(auto: Scene) -> None:
    assert auto.why() == "begins by POST"
    auto.choice.posted("ada", 1.0)

    assert auto.why() == "first try"
    assert auto.why() == "tried by another request"
    assert auto.why("ben") == "begins by POST"  # each account for itself
    auto.choice.ended("ada", whole=False)
    assert auto.why() == "first try"
    auto.choice.ended("ada", whole=True)
    assert auto.takes()
    assert auto.takes()


def test_auto_goes_by_the_catalogue(auto: Scene) -> None:
    auto.prove()

    assert auto.why(preferred=False) == "not preferred for the model"


@pytest.mark.parametrize(("post", "socket", "taken"), [(1.0, 4.0, False), (4.0, 1.0, True)])
def test_auto_goes_by_what_was_measured_and_goes_on_measuring(
    auto: Scene, post: float, socket: float, taken: bool
) -> None:
    auto.prove()
    for _ in range(LEAST_SAMPLES):
        auto.choice.posted("ada", post)
        auto.choice.carried(socket)
    decisions = [auto.takes() for _ in range(EXPLORED)]

    assert decisions == [taken] * (EXPLORED - 1) + [not taken]


@pytest.mark.parametrize("setting", [TransportSetting.AUTO, TransportSetting.WEBSOCKET])
def test_two_faults_in_a_row_are_ten_minutes_of_post(setting: TransportSetting) -> None:
    scene = Scene(setting)
    scene.prove() if setting is TransportSetting.AUTO else None
    scene.choice.failed("ada", "broken")
    assert scene.takes()
    scene.choice.failed("ben", "lost")
    assert scene.why() == "left after faults"

    scene.clock.pass_(AWAY_SECONDS + 1)
    assert scene.takes()


def test_a_whole_answer_between_two_faults_makes_them_none_in_a_row(always: Scene) -> None:
    always.choice.failed("ada", "broken")
    always.choice.ended("ada", whole=True)
    always.choice.failed("ada", "broken")

    assert always.takes()


@pytest.mark.parametrize(
    ("status", "own", "others"),
    [
        (401, False, True),
        (403, False, True),
        (429, False, True),
        (404, False, False),
        (426, False, False),
        (500, True, True),
        (503, True, True),
    ],
)
def test_a_refused_upgrade_is_remembered_for_its_account_or_for_all(
    always: Scene, status: int, own: bool, others: bool
) -> None:
    always.choice.failed("ada", "refused", status=status)

    assert (always.takes("ada"), always.takes("ben")) == (own, others)
    always.clock.pass_(AWAY_SECONDS + 1)
    assert always.takes("ada")


def test_the_times_of_both_are_told(auto: Scene) -> None:
    times: dict[str, Any] = auto.choice.medians()
    assert times == {}
    auto.choice.posted("ada", 3.0)
    auto.choice.posted("ada", 1.0)
    auto.choice.posted("ada", 2.0)

    assert auto.choice.medians() == {"http": 2.0}
