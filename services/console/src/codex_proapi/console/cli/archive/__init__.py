"""The commands `backup` and `restore`, and the encrypted file they write and read.

Belongs here: the commands, the file's format, and what of Redis is written to it. Not here: opening
the store (`cli/opened_store`) and the cipher (`commons/runtime/cipher`).
"""
