"""The fixtures under test, as a user of the package gets them."""

from router.testing.fixtures import fake_provider

__all__ = ["fake_provider"]
