"""Alerts out of the product: conditions that start and end, told to destinations, each once.

Pure: `conditions`, `transitions`, `messages`, `webhook_requests`. Of several consoles one at a time
looks and delivers (`alert_loop`). Does not belong here: what the conditions are read from (`views`).
"""
