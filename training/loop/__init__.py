"""One training loop for every stage: see `fit`."""
