"""From edited motion and one portrait to pictures."""
