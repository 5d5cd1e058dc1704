"""Between dialects: what a client asked becomes what upstream takes, and its answer comes back."""
