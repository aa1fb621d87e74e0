"""The streams as a Spark data source; needs PySpark 4.2 or later.

    spark.dataSource.register(AtsDataSource)
    spark.read.format("ats").option("config", text).option("stream", "candidates").load()

No engine of our own: the same rooms run on the executors. `source.py` plans what is read side by
side, `rows.py` turns records into rows and back.
"""

from source_ats.spark.source import AtsDataSource

__all__ = ["AtsDataSource"]
