"""Tests of `destination-comeet` through its command line."""
