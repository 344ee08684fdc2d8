"""Talking videos: frames of a portrait or a video rendered once, kept, and put together as a movie."""
