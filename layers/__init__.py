"""The city's records: what is valid, and where it is kept."""
