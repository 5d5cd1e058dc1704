"""Carries one notification to one destination: words, requests, checked addresses, HTTP and SMTP.

Pure: `messages`, `webhook_requests`. Does not belong here: when something is told, and how often it is
tried (`codex_proapi.console.alerts`).
"""
