"""Wire format of OpenAI's APIs: request fields, chat chunks, response objects, errors.

Chat and Responses are both here, because they share errors and clients mix their requests. Not here:
translating their values (`translation`).
"""
