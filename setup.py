"""The distribution: two connectors in one package."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# The version's one place is metadata.yaml, where Airbyte looks for it.
METADATA = (HERE / "metadata.yaml").read_text("utf-8")
(VERSION,) = re.findall(r"^  dockerImageTag: (\S+)$", METADATA, re.MULTILINE)
REQUIREMENTS = [
    line
    for line in (HERE / "requirements.in").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]

setup(
    name="airbyte-source-ats",
    version=VERSION,
    description="Airbyte connectors for people data in applicant tracking systems",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["source_ats*", "destination_comeet*"]),
    package_data={"source_ats": ["py.typed"]},
    python_requires=">=3.11,<3.14",
    install_requires=REQUIREMENTS,
    # Where Spark is provided, as on Databricks, it must not be installed again.
    extras_require={"spark": ["pyspark[sql]>=4.2,<5"]},
    entry_points={
        "console_scripts": [
            "source-ats = source_ats.cli:source_ats",
            "destination-comeet = destination_comeet.cli:destination_comeet",
        ]
    },
)
