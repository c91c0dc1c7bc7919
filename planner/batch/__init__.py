"""A whole province at once: the same question asked of every county, and one table of the answers."""
