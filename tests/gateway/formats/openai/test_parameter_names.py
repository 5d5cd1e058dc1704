from typing import Any

import pytest

from codex_proapi.gateway.formats.openai.parameter_names import counted_as


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("temperature", "temperature"),
        ("image.detail", "image.detail"),
        ("tools.computer_use", "tools"),
        ("content.anything_at_all", "content"),
        ("include.file_search_call.results", "include"),
        ("my_secret_flag", "other"),
        ("unknown", "other"),
        ("temperature.x", "other"),
    ],
)
def test_a_clients_own_word_never_becomes_a_label(name: Any, label: Any) -> None:
    assert counted_as(name) == label
