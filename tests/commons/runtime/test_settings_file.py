"""A file of settings: its two forms, what the environment stands before, and faults by line."""

import pathlib

import pytest

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.settings_file import (
    CONFIG,
    MOST_BYTES,
    read_settings_file,
    with_settings_file,
)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("PORT=1500", "1500"),
        ("export PORT = 1500", "1500"),
        ("  PORT=1500   ", "1500"),
        ("PORT=", ""),
        ("PORT= # a comment", ""),
        ("PORT=15#00", "15#00"),
        ("PORT=#1500", "#1500"),
        ("PORT=1500 # a comment", "1500"),
        ("PORT=15 00", "15 00"),
        ("PORT='15 # 00' # a comment", "15 # 00"),
        ('PORT="15 # \\"00\\""', '15 # "00"'),
        ("PORT=a=b=c", "a=b=c"),
        ("CODEX_PROAPI_PORT=1500", "1500"),
        ("PORT=值", "值"),
    ],
)
def test_a_line_is_a_name_and_a_value(line: str, value: str, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text(f"\ufeff# ours\n\n{line}\r\nOTHER=1\n", encoding="utf-8")

    assert read_settings_file(file) == {"PORT": value, "OTHER": "1"}


def test_toml_has_names_in_either_case_lists_and_pairs(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        'port = 1500\nCODEX_PROAPI_HOST = "0.0.0.0"\nwhole-patience = 45.5\n'
        'trusted_proxies = ["10.0.0.0/8", "127.0.0.1"]\nencryption_keys_file = "/run/keys"\n'
        '[model_aliases]\n"gpt-4*" = "gpt-5.5"\nfast = "gpt-5.4-mini"\n'
    )

    assert read_settings_file(file) == {
        "PORT": "1500",
        "HOST": "0.0.0.0",
        "WHOLE_PATIENCE": "45.5",
        "TRUSTED_PROXIES": "10.0.0.0/8,127.0.0.1",
        "ENCRYPTION_KEYS_FILE": "/run/keys",
        "MODEL_ALIASES": "gpt-4*=gpt-5.5,fast=gpt-5.4-mini",
    }


@pytest.mark.parametrize(
    ("name", "content", "faults"),
    [
        (".env", b"PORT=1\nhunter2\nHOST='x\n", ["line 2 is no", "line 3 is no"]),
        (".env", b"\xff\xfe", ["is no text in UTF-8"]),
        (".env", b"#" * (MOST_BYTES + 1), ["is too large"]),
        ("a.toml", b"port = = hunter2", ["is no TOML (at line 1, column 8)"]),
        (
            "a.toml",
            b"prot = 1\nport = true\nhost = 2026-01-01",
            ["prot is not", "port must", "host must"],
        ),
        ("a.toml", b"allowed_hosts = [[1]]", ["allowed_hosts must be"]),
    ],
)
def test_what_cannot_be_read_is_told_without_its_text(
    name: str, content: bytes, faults: list[str], tmp_path: pathlib.Path
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        read_settings_file(file)

    assert len(raised.value.faults) == len(faults)
    for told, fault in zip(raised.value.faults, faults, strict=True):
        assert told.startswith(f"{file}: {fault}")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("path", ["nowhere.env", "."])
def test_a_file_that_is_not_there_is_a_fault(path: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(SettingsError, match=f"{tmp_path}.*: cannot be read: "):
        with_settings_file({CONFIG: str(tmp_path / path)})


def test_the_environment_stands_before_the_file_and_an_argument_before_the_variable(
    tmp_path: pathlib.Path,
) -> None:
    first, second = tmp_path / "first.env", tmp_path / "second.env"
    first.write_text("PORT=1\n")
    second.write_text(
        "PORT=2\nLOG_LEVEL=debug\nREDIS_URL=redis://file\nENCRYPTION_KEYS_FILE=/keys\n"
    )
    environ = {
        CONFIG: str(first),
        "LOG_LEVEL": "info",
        "REDIS_URL_FILE": "/url",
        "ENCRYPTION_KEYS": "x",
    }

    found = with_settings_file(environ, str(second))

    assert found == {
        "PORT": "2",
        "LOG_LEVEL": "info",
        "REDIS_URL_FILE": "/url",
        "ENCRYPTION_KEYS": "x",
    }
    assert with_settings_file({CONFIG: str(first)}) == {"PORT": "1"}
    assert with_settings_file({"PORT": "3"}) == {"PORT": "3"}
