"""Redis: clients, key names and lifetimes, Lua scripts, the circuit breaker, locks.

Here: what every store needs. Not here: the stores (each beside its model) and their scripts
(`.lua` files beside the package that runs them).
"""
