"""Real voices in many languages, with known text and aligned phones: for evaluation only, never for training."""
