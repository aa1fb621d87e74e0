"""Both connectors at work without an account: `scripts/demo` runs it.

Start at `__main__.py`, which has the steps in their order. `warehouse.py` reads with PyAirbyte into
a DuckDB file and counts what changed, `pipe.py` writes to the fake Comeet and reads it back,
`marts.py` builds the dbt package and writes the report, and `screen.py` is all that is printed.
"""
