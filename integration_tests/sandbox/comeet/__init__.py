"""A fake Comeet."""
