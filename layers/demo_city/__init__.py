"""Linjiang (临江市), a fictional city built from a seeded recipe: the same seed gives the same bytes."""
