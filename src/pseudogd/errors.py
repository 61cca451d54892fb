"""Errors that a user can mend. The command line prints their one line and nothing else."""


class PseudoGDError(Exception):
    """Wrong use or wrong input: one line that names the file, the value and the mend."""

    exit_code = 2


class InputError(PseudoGDError):
    """A file, folder or value that was handed in cannot be used."""


class SettingsMismatch(PseudoGDError):
    """A folder already holds results that were made with other settings."""
