"""What was used: the record of an exchange, the counters, the log stream, the forecast.

Here: the forms and their reading. Not here: writing settlements (`gateway.accounting`), charts
(`console.api`).
"""
