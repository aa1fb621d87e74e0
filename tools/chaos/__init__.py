"""Seeded runs with faults, cuts and changes, of which nothing may be seen in the end."""
