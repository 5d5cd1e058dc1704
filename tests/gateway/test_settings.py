from typing import Any

import pytest
from cryptography.fernet import Fernet

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import HistoryMode, KeyPolicy
from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.gateway.settings import GatewaySettings

KEYS = Fernet.generate_key().decode()


def read(**environ: Any) -> Any:
    return from_environ(GatewaySettings, {"ENCRYPTION_KEYS": KEYS, **environ})


def test_the_defaults_need_nothing_but_a_key() -> None:
    settings = read()

    assert (settings.port, settings.host) == (8080, "127.0.0.1")
    assert settings.api_key_policy is KeyPolicy.REQUIRED
    assert settings.routing is Routing.AFFINITY
    assert settings.history_mode is HistoryMode.STRUCTURED
    assert settings.commit_patience == 10
    assert settings.model_aliases == {}


def test_every_setting_is_read_by_its_name() -> None:
    settings = read(
        API_KEY_POLICY="open",
        ROUTING="round_robin",
        HISTORY_MODE="transcript",
        DEFAULT_MODEL="gpt-5.5",
        MODEL_ALIASES="best=gpt-6-sol,claude-*=gpt-5.5",
        COMMIT_PATIENCE="5",
        MAX_CONCURRENT="10",
        REDIS_GRACE_SECONDS="45",
        DRAIN_SECONDS="30",
        DRAIN_SETTLE_SECONDS="5",
    )

    assert settings.api_key_policy is KeyPolicy.OPEN
    assert settings.routing is Routing.ROUND_ROBIN
    assert settings.history_mode is HistoryMode.TRANSCRIPT
    assert settings.model_aliases == {"best": "gpt-6-sol", "claude-*": "gpt-5.5"}
    assert (settings.max_concurrent, settings.drain_seconds) == (10, 30)
    assert (settings.redis_grace_seconds, read().redis_grace_seconds) == (45, 0)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read(
            COMMIT_PATIENCE="90",
            WHOLE_PATIENCE="20",
            MAX_CONCURRENT="0",
            REDIS_GRACE_SECONDS="86400",
            DRAIN_SECONDS="-1",
            DRAIN_SETTLE_SECONDS="-1",
            ROUTING="random",
            DRAIN_FOREVER="yes",
        )

    told = str(caught.value)
    for name in ("ROUTING", "DRAIN_FOREVER"):
        assert name in told
    for name in (
        "COMMIT_PATIENCE",
        "WHOLE_PATIENCE",
        "REDIS_GRACE_SECONDS",
        "MAX_CONCURRENT",
        "DRAIN_SECONDS",
        "DRAIN_SETTLE_SECONDS",
    ):
        assert f"{name} must" in told


def test_printing_them_shows_no_secret() -> None:
    assert KEYS not in repr(read())
