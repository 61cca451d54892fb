"""Joint training of language and geometry, checkpoints and export."""
