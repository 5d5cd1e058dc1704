from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.console.cli.terminal.times import heading, iso, moment, second, told

AT = 1_795_500_000
SHANGHAI = Calendar("Asia/Shanghai")


def test_never_is_empty() -> None:
    assert (moment(0, UTC), told(0, UTC), iso(0, UTC)) == ("", "", None)


def test_a_time_is_of_a_zone_that_is_named() -> None:
    assert moment(AT, SHANGHAI) == "2026-11-24 14:00"
    assert heading("CREATED", SHANGHAI) == "CREATED (Asia/Shanghai)"
    assert told(AT, SHANGHAI) == "2026-11-24 14:00 Asia/Shanghai"
    assert second(AT + 1.5, SHANGHAI) == "2026-11-24 14:00:01+08:00"


def test_programs_get_the_offset() -> None:
    assert iso(AT, UTC) == "2026-11-24T06:00:00+00:00"
    assert iso(AT, SHANGHAI) == "2026-11-24T14:00:00+08:00"
    assert iso(AT + 0.25, SHANGHAI) == "2026-11-24T14:00:00.250+08:00"
