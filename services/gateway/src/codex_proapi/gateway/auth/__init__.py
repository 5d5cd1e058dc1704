"""Authentication: reads a request's head, finds its API key, checks origins, ends what revoked keys have.

What a key may spend is `limits`; how keys are stored is `commons.api_keys`.
"""
