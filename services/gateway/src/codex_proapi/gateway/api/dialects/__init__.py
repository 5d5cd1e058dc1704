"""One module for each dialect on a POST route: its value `Dialect`; `table` lists them all.

Here a dialect's parts are put together. Its wire format is in `formats`, its translation in
`translation`; serving is `exchange`.
"""
