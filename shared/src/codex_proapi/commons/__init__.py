"""What gateway, console and tools share: accounts, keys, usage, facts about the backend.

A module belongs here while two members import it; what only one member uses belongs to that member.
Nothing here depends on a web framework, translates or retries a request, or renders a page. A class
that reads or writes Redis is called a store; the rest are pure values and functions.
"""
