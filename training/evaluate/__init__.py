"""Measures of what the models do, on sounds with known content."""
