"""Settings of all tests."""

from hypothesis import settings

# Time says nothing of what is right, least of all on a machine that does other work too.
settings.register_profile("astrokin", deadline=None)
settings.load_profile("astrokin")
