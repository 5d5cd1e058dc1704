import pathlib

from codex_proapi.console.cli.opened_store import opened
from codex_proapi.local.environment import Start


async def test_a_command_works_beside_a_running_process(tmp_path: pathlib.Path) -> None:
    environ = {"DATA_DIR": str(tmp_path)}

    async with opened(Start(environ)) as serving, opened(Start(environ)) as command:
        await command.keys.create("laptop")
        assert [key.name for key in await serving.keys.list()] == ["laptop"]


async def test_a_redis_of_ones_own_is_used_as_it_is(redis_url: str, tmp_path: pathlib.Path) -> None:
    environ = {"DATA_DIR": str(tmp_path), "REDIS_URL": redis_url}

    async with opened(Start(environ)) as store:
        await store.keys.create("laptop")

    assert not (tmp_path / "redis").exists()
