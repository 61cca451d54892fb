"""Golden scenes whose every answer is known in closed form, and what is run on them (`pseudogd selftest`)."""
