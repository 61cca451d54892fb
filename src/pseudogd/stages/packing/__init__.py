"""Questions of a data folder as a data set that other programs read."""
