"""Wire shapes and nothing else: what bytes of each protocol mean, without deciding anything."""
