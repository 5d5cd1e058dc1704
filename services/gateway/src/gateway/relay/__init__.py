"""The imperative shell of one exchange: lease, attempt, settle."""
