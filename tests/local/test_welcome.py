"""What a start tells."""

import pathlib
import sys

import pytest
from cryptography.fernet import Fernet

from codex_proapi.local.environment import Start
from codex_proapi.local.welcome import goodbye, welcome

KEY = Fernet.generate_key().decode()


async def told(
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    *,
    with_key: bool = False,
    demo: bool = False,
) -> str:
    start = Start(environ)
    async with start.opened() as store:
        if with_key:
            await store.keys.create("laptop")
        await welcome(
            start, sys.stderr, port=1455, demo=demo, announcements=["a word of the console"]
        )
    return capsys.readouterr().err


async def test_the_first_start_says_where_it_is_and_what_to_do(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = await told(environ, capsys)

    assert "Base URL for clients   http://localhost:1455/v1" in words
    assert "any is accepted until the first is made" in words
    assert "Accounts               none yet" in words
    assert "Note: a word of the console" in words
    assert "codex-proapi accounts import ~/.codex/auth.json" in words


async def test_a_public_address_is_shown_instead(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = await told({**environ, "PUBLIC_URL": "https://ai.example.com/"}, capsys)

    assert "https://ai.example.com/v1" in words
    assert "localhost:1455/v1" not in words


async def test_a_key_ends_the_open_policy(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "required, as one was made" in await told(environ, capsys, with_key=True)


@pytest.mark.parametrize(
    ("policy", "with_key", "expected"),
    [
        ("required", False, "make an API key in the console"),
        ("required", True, "with a key of yours"),
        ("open", True, "with a key of yours"),
        ("open", False, "with any key"),
    ],
)
async def test_a_client_is_pointed_with_a_key_that_is_taken(
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    policy: str,
    with_key: bool,
    expected: str,
) -> None:
    """A container listens beyond loopback, where no key is taken before one is made."""
    words = await told({**environ, "API_KEY_POLICY": policy}, capsys, with_key=with_key, demo=True)

    assert expected in words
    assert ("any key" in words) == (expected == "with any key")


async def test_the_policy_and_the_redis_of_settings_are_told(
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    redis_url: str,
    tmp_path: pathlib.Path,
) -> None:
    words = await told(
        {
            **environ,
            "API_KEY_POLICY": "required",
            "REDIS_URL": redis_url,
            "ENCRYPTION_KEYS": KEY,
            "HOST": "0.0.0.0",
        },
        capsys,
    )

    assert "API keys               required\n" in words
    assert "in the Redis of REDIS_URL" in words
    assert str(tmp_path / "data") not in words


def test_an_announcement_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    goodbye(sys.stderr)

    out, told = capsys.readouterr()
    assert out == ""
    assert told.startswith("  stopping: ")
