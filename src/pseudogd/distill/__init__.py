"""Geometry targets and losses: pure functions of arrays and tensors."""
