"""Composition of one replica: `Stores`, then `Upstream`, then `Pool`, frozen values made by functions.

Here belongs which object gets which dependency. What the objects do belongs in their own packages;
start, shutdown and routes are in `app`.
"""
