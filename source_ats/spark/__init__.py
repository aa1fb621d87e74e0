"""The streams as a Spark data source; needs PySpark 4.2 or later.

    spark.dataSource.register(AtsDataSource)
    spark.read.format("ats").option("config", text).option("stream", "candidates").load()

The same vendor packages run on the executors: there is no second engine. `source.py` plans the
tasks, `rows.py` turns records into rows and back.
"""

from source_ats.spark.source import AtsDataSource

__all__ = ["AtsDataSource"]
