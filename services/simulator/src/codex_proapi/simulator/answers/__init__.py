"""The simulated model: the content of answers to valid requests.

Pure and deterministic. How an answer becomes events belongs in `backend`.
"""
