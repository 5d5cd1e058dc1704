"""How one Responses client wants its answer."""

from codex_proapi.gateway.translation.responses.options import ResponseOptions


def test_nothing_asked_for_is_the_plain_form() -> None:
    options = ResponseOptions()

    assert (options.model, options.keep_response) == ("", False)
    assert (options.tool_names, options.echo) == ({}, {})
