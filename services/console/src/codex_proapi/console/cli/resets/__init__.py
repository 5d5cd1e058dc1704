"""Commands of saved resets: list them, redeem one.

Not here: how a reset is redeemed once (`console.resets`).
"""
