"""Frozen depth models and depth files: photo to geometry."""
