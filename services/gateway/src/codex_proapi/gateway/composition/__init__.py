"""How the objects of one replica are made: frozen values, each built by a function from those before.

Here belongs who is given what: `Stores`, then `Upstream`, then `Pool`. What the objects do belongs
in their own packages; the replica's life and its routes are in `app`.
"""
