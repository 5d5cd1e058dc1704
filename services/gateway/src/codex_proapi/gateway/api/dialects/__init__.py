"""One module for each dialect on a POST route: its value `Dialect`; `table` lists them all.

Here belongs how a dialect's parts are put together. What its bytes mean is in `formats`, how a
request or an answer is translated in `translation`, how it is served in `exchange`.
"""
