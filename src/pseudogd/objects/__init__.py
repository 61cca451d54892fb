"""Photo to named masks."""
