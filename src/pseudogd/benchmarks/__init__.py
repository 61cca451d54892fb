"""Spatial benchmarks: items, prompts, parsing, scoring, statistics."""
