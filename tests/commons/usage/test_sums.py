"""Packed counters: many are read and added at once, with what one by one would give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.commons.usage.sums import (
    SUBJECTS_AT_ONCE,
    Counters,
    Sums,
    Totals,
    add_packed,
    counts_of,
    some_of,
    unpack,
    unpack_all,
)

COUNTS = st.lists(st.integers(0, 2**53), max_size=13).map(lambda each: " ".join(map(str, each)))
ODD = st.sampled_from(
    ["", " ", "1  2", "01 2", "1],[2", "[1]", "1.5 2", "many 3", "1e3", "-4 5", "null"]
)
PACKED = st.dictionaries(st.sampled_from("abcdef"), COUNTS | ODD)


@given(st.lists(PACKED))
def test_totals_are_what_adding_one_by_one_gives(periods: list[dict[str, str]]) -> None:
    totals, sums = Totals(), Sums()
    for packed in periods:
        totals.add(packed)
        for subject, value in packed.items():
            if value.strip():
                add_packed(sums, subject, value)

    assert totals.sums() == sums


@given(PACKED)
def test_counters_read_together_are_those_read_alone(packed: dict[str, str]) -> None:
    alone = {name: unpack(value) for name, value in packed.items() if value.strip()}

    assert unpack_all(packed) == alone


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ([], []),
        (["1 2", "", "3"], [[1, 2], [], [3]]),
        (["1],[2", "3"], [[0], [3]]),
        (["1", "many 2"], [[1], [0, 2]]),
        ([f"{2**70}"], [[2**70]]),
    ],
)
def test_a_text_that_is_written_otherwise_shifts_no_other(
    values: list[str], counts: list[list[int]]
) -> None:
    assert counts_of(values) == counts


def test_counters_of_versions_that_count_less_and_more_add_up() -> None:
    totals = Totals()
    totals.add({"a": "1 2"})
    totals.add({"a": " ".join(["1"] * 14)})

    assert totals.sums()["a"] == Counters(
        requests=2, errors=3, **dict.fromkeys(Counters.__struct_fields__[2:], 1)
    )


def test_all_of_it_comes_in_parts() -> None:
    packed = {str(number): "1" for number in range(SUBJECTS_AT_ONCE + 1)}

    parts = [*some_of(packed)]

    assert [len(each) for each in parts] == [SUBJECTS_AT_ONCE, 1]
    assert {**parts[0], **parts[1]} == packed
