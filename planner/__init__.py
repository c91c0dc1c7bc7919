"""Answers to planning questions: arrays and records in, results out."""
