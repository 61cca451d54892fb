"""Whether questions can be answered without looking: pure computation on rows of the questions stage."""
