"""Which account is asked next, and why: pure decisions from what a survey saw.

`ballot`   all that a choice is made from, as one value that a log line can keep
`quota`    what an account's windows allow: is there enough left, and is it in a hurry
`turns`    the round robin: whose turn a position of the cursor is
`choose`   the choice itself
`reasons`  the choice in words

Looking into Redis, refreshing credentials and taking a probe's lock is `relay.rotation`'s work.
"""
