"""The way from here to OpenAI: tested step by step, and the transports over it compared.

No account is needed for the test, and one of the operator's choice for the comparison. Tests of
accounts are `accounts.connection_test`.
"""
