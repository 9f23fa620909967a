"""The adapter: the only code that knows OpenStack. No SDK type, exception or body text leaves it."""
