"""One HTML page from the marts of the dbt package: `scripts/report` writes it.

Start at `__main__.py`, which has the arguments. `warehouse.py` opens DuckDB or PostgreSQL,
`sections.py` asks the marts and says what each section shows, `costs.py` reads what syncs took from
their messages, `charts.py` draws, and `page.html` is the page. It runs in the environment of dbt.
"""
