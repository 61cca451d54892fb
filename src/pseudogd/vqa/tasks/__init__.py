"""One file per kind of spatial question."""
