import pathlib
import pkgutil
import tomllib

import pytest
from cryptography.fernet import Fernet
from support.tree import ROOT

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.console.cli import extensions
from codex_proapi.console.cli.opened_store import opened
from codex_proapi.local.environment import Start


def start(tmp_path: pathlib.Path, **environ: str) -> Start:
    return Start({"DATA_DIR": str(tmp_path / "data"), **environ})


def test_a_bare_start_is_on_loopback_with_everything_of_its_own(tmp_path: pathlib.Path) -> None:
    made = start(tmp_path)

    assert (made.gateway.host, made.gateway.port, made.console.port) == ("127.0.0.1", 1455, 1455)
    assert made.gateway.api_key_policy == "open"
    assert made.redis is not None
    assert made.redis_url.startswith("unix://")
    assert made.gateway.redis_url == made.console.redis_url == made.redis.url
    assert made.gateway.encryption_keys == made.console.encryption_keys
    assert made.console.redirect_uri == "http://localhost:1455/auth/callback"


def test_a_start_for_others_requires_keys(tmp_path: pathlib.Path) -> None:
    assert start(tmp_path, HOST="0.0.0.0").gateway.api_key_policy == "required"


def test_what_is_given_stands(tmp_path: pathlib.Path) -> None:
    key = Fernet.generate_key().decode()

    made = start(
        tmp_path,
        PORT="8000",
        REDIS_URL="redis://example.com:6379/0",
        ENCRYPTION_KEYS=key,
        API_KEY_POLICY="required",
        DRAIN_SECONDS="3",
    )

    assert made.redis is None
    assert made.redis_url == "redis://example.com:6379/0"
    assert made.gateway.port == 8000
    assert made.gateway.encryption_keys == (key,)
    assert made.gateway.api_key_policy == "required"
    assert made.gateway.drain_seconds == 3
    assert not (tmp_path / "data").exists()


def test_keys_may_come_from_a_file(tmp_path: pathlib.Path) -> None:
    key = Fernet.generate_key().decode()
    (tmp_path / "keys").write_text(key)

    made = start(tmp_path, ENCRYPTION_KEYS_FILE=str(tmp_path / "keys"))

    assert made.gateway.encryption_keys == (key,)


def test_an_empty_value_is_no_value(tmp_path: pathlib.Path) -> None:
    assert start(tmp_path, REDIS_URL="", PORT="").redis is not None


def test_every_fault_of_both_services_is_told_once(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SettingsError) as raised:
        start(tmp_path, PORT="many", ADMIN_PASSWORD="short", ROUTING="random", CODEX_URL="x")

    faults = "\n".join(raised.value.faults)
    assert faults.count("PORT") == 1
    assert faults.count("CODEX_URL is not a setting of ours.") == 1
    assert "ROUTING" in faults


async def test_a_command_works_beside_a_running_process(tmp_path: pathlib.Path) -> None:
    environ = {"DATA_DIR": str(tmp_path)}

    async with opened(environ) as serving, opened(environ) as command:
        await command.keys.create("laptop")
        assert [key.name for key in await serving.keys.list()] == ["laptop"]
        async with Start(environ).opened() as store:
            assert [key.name for key in await store.keys.list()] == ["laptop"]


def test_home_is_where_the_data_goes_by_default(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert Start({}).data_dir == tmp_path / ".codex-proapi"


def test_doctor_finds_what_the_gateway_would_refuse() -> None:
    declared = tomllib.loads((ROOT / "deploy/local/pyproject.toml").read_text())["project"]
    (entry,) = declared["entry-points"][extensions.SETTINGS].values()
    check = pkgutil.resolve_name(entry)

    assert check({"ENCRYPTION_KEYS": Fernet.generate_key().decode()}) == []
    (fault,) = check({"ENCRYPTION_KEYS": Fernet.generate_key().decode(), "ACCOUNT_STREAMS": "many"})
    assert fault.startswith("ACCOUNT_STREAMS: ")
