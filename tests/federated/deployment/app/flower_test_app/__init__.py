"""A Flower project for tests."""
