"""Kombo's unified API: the stream `candidates`, and one stream for each other model."""
