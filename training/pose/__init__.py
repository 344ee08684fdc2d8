"""Head motion: a synthetic prior of conversation, and what is learned from it or from tracked video."""
