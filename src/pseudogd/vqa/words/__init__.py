"""Wordings of the larger tasks, as data: nothing here knows geometry."""
