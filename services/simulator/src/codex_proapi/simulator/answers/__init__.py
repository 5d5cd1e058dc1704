"""The simulated model: what is answered to a request that broke no rule.

Pure and deterministic. How an answer becomes events belongs in `backend`.
"""
