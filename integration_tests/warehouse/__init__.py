"""The dbt package in `dbt/`."""
