"""OpenAI's APIs on the wire: request fields, chat chunks, response objects, errors.

Chat and Responses are both here, for they share errors and clients mix their requests. What their
values mean to the backend is in `translation`.
"""
