"""Mutation tests: the code is changed in one place, and a test has to fail."""
