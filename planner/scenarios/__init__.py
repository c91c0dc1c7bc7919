"""What if: the city's points as a scenario leaves them, and what that changes."""
