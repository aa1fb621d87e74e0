"""One Spark for all tests here: a cluster of two executors, each a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

if find_spec("pyspark") is None:
    pytest.skip("PySpark is not there; see scripts/spark.", allow_module_level=True)

from integration_tests.spark.cluster import QUICK_START, cluster
from integration_tests.spark.killed import KilledAts, KilledComeet


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A cluster on this machine, whose executors can be killed and come again."""
    with cluster("local-cluster[2,1,1024]", QUICK_START) as session:
        session.dataSource.register(KilledAts)
        session.dataSource.register(KilledComeet)
        yield session
