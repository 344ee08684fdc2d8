"""A person in a picture or a video: landmarks, fitted head, light, texture."""
