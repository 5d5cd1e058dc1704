"""What the gateway and the console share: accounts, keys, usage, the log stream.

A module lives here only while both services use it. Nothing here knows a web framework, and
nothing here decides how a request is translated, judged or shown: the gateway and the console
do. Everything that touches Redis is a *store*; everything else takes values and gives values.
"""
