"""Properties are drawn from fixed seeds and are not timed one by one: a busy machine must not fail a true property."""

from hypothesis import settings

settings.register_profile("steady", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("steady")
