"""API keys of clients, their limits and their fair shares of a scarce pool.

Here: the model and the store. Not here: charging and refusing (`gateway.limits`), authentication
(`gateway.auth`), how keys are shown (`console.views`).
"""
