"""The console's texts in two languages.

English is the source: it stands in the templates, scripts and modules where it is shown. The other
language is one gettext catalogue beside this file, read at start; nothing is compiled or generated.
"""
