"""Ways to get a reply from a model."""
