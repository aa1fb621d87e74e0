"""A Spark cluster on this machine, on loopback addresses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from destination_comeet.spark import ComeetDataSource
from integration_tests.sandbox.running import PROJECT
from source_ats.spark import AtsDataSource

QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options of a JVM that lives for minutes: it does not pay to optimize its code thoroughly."""


@contextmanager
def cluster(master: str, java_options: str = "") -> Iterator[SparkSession]:
    """Start one with the data sources registered, and stop it."""
    here = "127.0.0.1"
    # The executors have to find the project's modules, and PySpark where it is a folder.
    path = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": here, "PYTHONPATH": path}
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": here,
        "spark.driver.bindAddress": here,
        "spark.driver.extraJavaOptions": java_options,
        "spark.executor.extraJavaOptions": java_options,
        "spark.executorEnv.PYTHONPATH": path,
        "spark.executorEnv.SPARK_LOCAL_IP": here,
        "spark.log.level": "ERROR",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        # Executors are killed on purpose, many times in a session.
        "spark.deploy.maxExecutorRetries": "-1",
    }
    builder = SparkSession.builder.master(master).appName("source-ats")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.dataSource.register(AtsDataSource)
    session.dataSource.register(ComeetDataSource)
    try:
        yield session
    finally:
        session.stop()
