# syntax=docker/dockerfile:1
#
# The images of both connectors, one target for each:
#
#   version=$(sed -n 's/^  dockerImageTag: //p' metadata.yaml)
#   docker build --platform linux/amd64 --target source-ats --build-arg VERSION="$version" --tag airbyte/source-ats:"$version" .
#   docker build --platform linux/amd64 --target destination-comeet --build-arg VERSION="$version" --tag airbyte/destination-comeet:"$version" .
#
# Airbyte runs images for amd64: on another computer, a build without --platform makes an image that
# runs there only. They run without root and with a read-only root file system. Temporary files go
# to /tmp.

ARG BASE_IMAGE=docker.io/airbyte/python-connector-base:4.1.0


FROM ${BASE_IMAGE} AS builder

USER root
WORKDIR /build
# An environment of its own: the base image has tools whose pins are not ours.
RUN python -m venv --without-pip /opt/connector

# Before the code, so that this layer lasts as long as the lock file.
COPY requirements/runtime.lock requirements/
RUN pip --python /opt/connector/bin/python install --no-cache-dir --no-compile \
        --no-deps --require-hashes --only-binary :all: --requirement requirements/runtime.lock

# `.dockerignore` names what comes along. setuptools is in the lock file.
COPY . ./
RUN pip --python /opt/connector/bin/python install --no-cache-dir \
        --no-deps --no-build-isolation .

# Bytecode of the libraries that the commands import. Most of what the CDK requires is used by other
# kinds of connectors, and its bytecode would be another 80 MB.
RUN PYTHONDONTWRITEBYTECODE= /opt/connector/bin/python -c "\
import source_ats.cli, source_ats.commands, destination_comeet.cli, \
sqlalchemy.dialects.postgresql.psycopg, sqlalchemy.dialects.sqlite.pysqlite"

# A label cannot be read from a file, so VERSION is given; it has to be the true one.
ARG VERSION
RUN grep --quiet --fixed-strings --line-regexp "  dockerImageTag: ${VERSION}" metadata.yaml \
    || { echo "Give the version in metadata.yaml: --build-arg VERSION=..." >&2; exit 1; }


FROM ${BASE_IMAGE} AS connector

COPY --from=builder /opt/connector /opt/connector
# The bytecode that the commands need is there, and the file system is read-only.
ENV PATH="/opt/connector/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /airbyte/integration_code
USER 1000


FROM connector AS destination-comeet

ARG VERSION
LABEL io.airbyte.name="airbyte/destination-comeet" \
      io.airbyte.version="${VERSION}"
ENV AIRBYTE_ENTRYPOINT="/opt/connector/bin/destination-comeet"
ENTRYPOINT ["/opt/connector/bin/destination-comeet"]


# Last, so that it is what a build without --target makes.
FROM connector AS source-ats

ARG VERSION
LABEL io.airbyte.name="airbyte/source-ats" \
      io.airbyte.version="${VERSION}"
ENV AIRBYTE_ENTRYPOINT="/opt/connector/bin/source-ats"
ENTRYPOINT ["/opt/connector/bin/source-ats"]
