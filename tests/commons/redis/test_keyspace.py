"""Every key shares one slot, and no two kinds share a name."""

import inspect

from codex_proapi.commons.redis import keyspace

FUNCTIONS = [
    function
    for name, function in inspect.getmembers(keyspace, inspect.isfunction)
    if not name.startswith("_")
]

TYPES = ("Hash", "Set", "String", "Counter", "Stream", "Sorted set", "List", "Prefix")


def names() -> list[str]:
    return [
        function(*(f"<{parameter}>" for parameter in inspect.signature(function).parameters))
        for function in FUNCTIONS
    ]


def test_every_key_has_the_tag_that_keeps_it_in_one_slot_of_a_cluster() -> None:
    assert all(name.startswith("{codex-proapi}:") for name in names())


def test_no_two_kinds_of_keys_share_a_name() -> None:
    prefixes = [name.partition("<")[0] for name in names()]

    assert len(set(prefixes)) == len(prefixes)


def test_every_key_says_its_type_and_its_lifetime() -> None:
    for function in FUNCTIONS:
        text = function.__doc__ or ""
        assert text.startswith(TYPES), text
