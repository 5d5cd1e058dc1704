"""Commands that ask OpenAI for an account, by the settings of the way there.

Not here: commands that read and change the store alone (`cli`).
"""
