"""`source-ats` through its command line: one module for each theme."""
