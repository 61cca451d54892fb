"""Spatial questions with evidence, made from a scene by closed formulas."""
