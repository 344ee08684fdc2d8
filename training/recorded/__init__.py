"""Recorded voices of many languages with aligned phones: for evaluation only, never for training."""
