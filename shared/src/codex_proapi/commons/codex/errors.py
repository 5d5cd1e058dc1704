"""Errors of the model catalogue; each service renders them in its own dialects."""


class ModelNotFound(LookupError):
    """No model has the name that was asked for. The message lists the names there are."""


class ModelListUnreadable(ValueError):
    """The backend's list of models could not be decoded."""
