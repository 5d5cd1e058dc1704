"""How one chat client wants its answer."""

from codex_proapi.gateway.translation.chat.options import ChatOptions


def test_nothing_asked_for_is_the_plain_form() -> None:
    options = ChatOptions()

    assert (options.include_usage, options.legacy_functions, options.stop) == (False, False, ())
    assert (options.tool_names, options.custom_tools) == ({}, frozenset())
