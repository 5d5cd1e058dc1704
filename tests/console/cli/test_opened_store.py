import pathlib

import pytest
from cryptography.fernet import Fernet

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.console.cli import extensions
from codex_proapi.console.cli.opened_store import opened, store_settings

KEY = Fernet.generate_key().decode()


async def test_a_redis_of_ones_own_is_used_as_it_is(redis_url: str, tmp_path: pathlib.Path) -> None:
    environ = {"DATA_DIR": str(tmp_path), "REDIS_URL": redis_url, "ENCRYPTION_KEYS": KEY}

    async with opened(environ) as store:
        await store.keys.create("laptop")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("setting", ["REDIS_URL", "REDIS_URL_FILE"])
async def test_no_encryption_key_is_made_up_for_a_redis_of_ones_own(
    redis_url: str, tmp_path: pathlib.Path, setting: str
) -> None:
    (tmp_path / "url").write_text(redis_url)
    value = redis_url if setting == "REDIS_URL" else str(tmp_path / "url")

    with pytest.raises(SettingsError) as raised:
        async with opened({"DATA_DIR": str(tmp_path / "data"), setting: value}):
            raise AssertionError("opened")

    assert [fault.startswith("ENCRYPTION_KEYS") for fault in raised.value.faults] == [True]
    assert not (tmp_path / "data").exists()


def test_settings_come_from_files_as_the_containers_have_them(tmp_path: pathlib.Path) -> None:
    (tmp_path / "url").write_text("redis://store:6379/0\n")
    (tmp_path / "keys").write_text(KEY)
    files = {
        "REDIS_URL_FILE": str(tmp_path / "url"),
        "ENCRYPTION_KEYS_FILE": str(tmp_path / "keys"),
    }

    settings = store_settings(files)

    assert settings.redis_url == "redis://store:6379/0"
    assert settings.encryption_keys == (KEY,)


def test_settings_of_something_else_stop_no_command() -> None:
    foreign = {"HOST": "x86_64-conda-linux-gnu", "PORT": "many", "ADMIN_EMAIL": "a@example.com"}
    environ = {"REDIS_URL": "redis://store:6379/0", "ENCRYPTION_KEYS": KEY, **foreign}

    assert store_settings(environ).redis_url == "redis://store:6379/0"


async def test_without_a_store_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "STORES", "codex_proapi.nobody")

    with pytest.raises(SettingsError, match="set REDIS_URL and ENCRYPTION_KEYS"):
        async with opened({}):
            raise AssertionError("opened")
