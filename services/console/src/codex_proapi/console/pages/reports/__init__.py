"""Pages of reports that are worked out from what was recorded."""
