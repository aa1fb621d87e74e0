"""Tests of `destination_comeet`."""
