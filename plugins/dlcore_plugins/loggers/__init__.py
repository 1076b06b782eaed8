"""Places where a run writes its numbers."""
