"""Run a stage: the same function by other hands."""
