import json

import pytest

from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.console.cli.terminal.json_output import json_line, print_json


def test_times_are_text_wherever_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    value = {
        "made": [{"created_at": 1_795_500_000, "last_used_at": 0, "at": 1_795_500_000.5}],
        "attempts": 3,
        "format": "x",
        "detail": {"expires_at": 1_795_500_000, "valid_until": 0},
    }

    print_json(value, Calendar("Asia/Shanghai"))

    assert json.loads(capsys.readouterr().out) == {
        "made": [
            {
                "created_at": "2026-11-24T14:00:00+08:00",
                "last_used_at": None,
                "at": "2026-11-24T14:00:00.500+08:00",
            }
        ],
        "attempts": 3,
        "format": "x",
        "detail": {"expires_at": "2026-11-24T14:00:00+08:00", "valid_until": None},
    }


def test_a_line_is_one() -> None:
    assert json_line({"name": "a\nb"}, Calendar()) == '{"name":"a\\nb"}'
