"""From samples to the features that the expression network hears."""
