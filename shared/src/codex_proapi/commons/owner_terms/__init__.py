"""The terms on which an account's owner offers it: hours, a share that stays the owner's, keys, a pause.

Here: their form, their check, and what they forbid at a moment. Pure. Not here: who owners are and
how they sign in (console), the selection that obeys (`commons.balancing`, `gateway.pool`).
"""
