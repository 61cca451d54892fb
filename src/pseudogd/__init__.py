"""Spatial understanding for vision-language models, distilled from pseudo geometry."""

__version__ = "0.1.0"
