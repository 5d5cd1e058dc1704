"""The input of a selection as it is logged: bounded, and enough to make the same selection again."""

from collections.abc import Collection
from typing import Final

import msgspec

from codex_proapi.commons.balancing.candidates import Reason, Selection, SelectionInput
from codex_proapi.commons.balancing.select_account import Ranking, select

MOST_LOGGED: Final = 8
"""Most candidates in a logged input."""
MOST_POSITIONS: Final = 128
"""Positions of the round robin that are tried for an input whose candidates are left out."""


def logged_input(
    ranking: Ranking,
    selection: Selection,
    *,
    cursor: int | None,
    affine: str | None,
    tried: Collection[str] = (),
    full: Collection[str] = (),
) -> SelectionInput:
    """The input of a selection, with at most MOST_LOGGED candidates.

    Of a conversation that stays only its own account is kept; of a larger pool the selected account
    and those that would have been selected without it. The others are counted.

    Args:
        ranking: what selected.
        selection: what it selected.
        cursor: the request's position in the round robin, as the selection had it.
        affine: id of the conversation's own account, as the selection had it.
        tried: ids of accounts that it passed over.
        full: ids of accounts that it passed over as full.
    """
    whole = ranking.selection_input(cursor=cursor, affine=affine, tried=tried, full=full)
    chosen = selection.account_id
    if selection.basis is Reason.AFFINITY:
        return _with_only({chosen}, whole)
    if len(whole.candidates) <= MOST_LOGGED:
        return whole
    kept = {chosen}
    while len(kept) < MOST_LOGGED:
        passed = {*tried, *kept}
        following = ranking.select(cursor=cursor, affine=None, tried=passed, full=full)
        if not isinstance(following, Selection):
            break
        kept.add(following.account_id)
    return _positioned(_with_only(kept, whole), chosen) or _with_only({chosen}, whole)


def _with_only(kept: Collection[str], whole: SelectionInput) -> SelectionInput:
    candidates = tuple(c for c in whole.candidates if c.id in kept)
    others = len(whole.candidates) - len(candidates)
    return msgspec.structs.replace(whole, candidates=candidates, others=others)


def _positioned(part: SelectionInput, chosen: str) -> SelectionInput | None:
    """The part with a cursor at which it gives the selected account; None if there is none."""
    for cursor in range(MOST_POSITIONS):
        positioned = msgspec.structs.replace(part, cursor=cursor)
        found = select(positioned)
        if isinstance(found, Selection) and found.account_id == chosen:
            return positioned
    return None
