"""What is written to Redis after an exchange: settlements, ties, outcomes and log entries.

The ledger collects, the writer writes in batches; no request waits for either. Reading usage is
`commons.usage`.
"""
