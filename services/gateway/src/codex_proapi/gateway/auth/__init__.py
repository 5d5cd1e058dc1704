"""Authentication: reads a request's head and finds its API key, checks origins, ends exchanges of revoked keys.

What a key may spend is `limits`; how keys are stored is `commons.api_keys`.
"""
