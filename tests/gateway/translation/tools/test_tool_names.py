"""Names shortened, and given back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.gateway.translation.tools.tool_names import TOOL_NAME_LIMIT, ToolNames


@pytest.mark.parametrize("name", ["read", "A-1_b", "x" * TOOL_NAME_LIMIT])
def test_a_legal_name_is_sent_as_it_is(name: str) -> None:
    names = ToolNames.of([name])

    assert names.sent(name) == name
    assert names.sent(name) == name
    assert names.restored == {}


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("x" * 65, "x" * 55),
        ("mcp__server__" + "y" * 60 + "__read_file", "mcp__read_file"),
        ("mcp__" + "z" * 70, "mcp__" + "z" * 50),
        ("fs.read file", "fs_read_file"),
        ("päth", "p_th"),
        ("", "tool"),
        ("read\n", "read_"),
    ],
)
def test_any_other_is_shortened_with_a_digest(name: str, stem: str) -> None:
    names = ToolNames()
    sent = names.sent(name)

    assert re.fullmatch(re.escape(stem) + "_[0-9a-f]{8}", sent)
    assert len(sent) <= TOOL_NAME_LIMIT
    assert names.restored == {sent: name}


def test_the_short_form_depends_on_the_name_alone() -> None:
    assert ToolNames.of(["a"]).sent("x" * 80) == ToolNames().sent("x" * 80)


def test_a_declared_name_keeps_its_own_where_they_collide() -> None:
    short = ToolNames().sent("x" * 80)
    names = ToolNames.of([short])

    assert names.sent(short) == short
    assert names.sent("x" * 80) != short
    assert repr(names) == "<ToolNames 2, 1 shortened>"


def test_a_later_name_gives_way_where_they_collide() -> None:
    names = ToolNames()
    short = names.sent("x" * 80)
    other = names.sent(short)

    assert names.restored == {short: "x" * 80, other: short}


@given(st.lists(st.text(max_size=100) | st.sampled_from(["a", "a.b", "a_b"])))
def test_every_name_comes_back(given_names: list[str]) -> None:
    names = ToolNames.of(given_names[::2])
    sent = {name: names.sent(name) for name in given_names}

    assert len(set(sent.values())) == len(set(given_names))
    for name, short in sent.items():
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", short)
        assert names.restored.get(short, short) == name
