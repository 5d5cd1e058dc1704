"""What goes wrong with the model catalogue; each service says it in its own words."""


class ModelNotFound(LookupError):
    """No model answers to the name. The message says which names there are."""


class ModelListUnreadable(ValueError):
    """The backend's list of models has another shape than the one known."""
