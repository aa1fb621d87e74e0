"""Tests of the Spark data source; they need Java and PySpark (see scripts/spark)."""
