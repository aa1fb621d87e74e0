"""Kombo's connection check: the key, each integration, and one row of each."""

from __future__ import annotations

from functools import partial

from source_ats.errors import (
    AtsError,
    ConfigError,
    CredentialsRefused,
    InvalidInput,
    NoSuchRows,
    PartitionUnavailable,
    RequestRefused,
    RetryableError,
    Stopped,
    UnknownPartition,
)
from source_ats.http.client import Client
from source_ats.vendors.kombo import requests, responses
from source_ats.vendors.kombo.config import KomboConfig
from source_ats.vendors.kombo.errors import combined_error, describe_errors
from source_ats.vendors.kombo.files import CandidateFiles
from source_ats.vendors.kombo.filters import Batch, RowFilters
from source_ats.vendors.kombo.models import CANDIDATES, MODELS

BATCHES_TO_TRY = 10
"""Of the lists that the row filters make. A read finds unknown ids in the others."""


def check(config: KomboConfig, client: Client) -> list[str]:
    """Return what the user should know, first the integrations that cannot be read now.

    Raises `ConfigError` if the key is bad or an integration is unknown, and otherwise an error
    only if no integration can be read. No rows is healthy: many integrations hold only what was
    created through Kombo.
    """
    base_url = requests.base_url(config.base_url, config.region)
    client.send(requests.check_api_key(base_url), responses.environment)
    errors: dict[str, AtsError] = {}
    notes = []
    filters = RowFilters(config)
    for integration_id in config.integration_ids:
        try:
            notes += _check_integration(config, client, integration_id)
            _check_filters(config, client, integration_id, filters)
        except (Stopped, CredentialsRefused):
            raise
        except UnknownPartition as error:
            raise combined_error({integration_id: error}) from None
        except AtsError as error:
            errors[integration_id] = error
    if len(errors) == len(config.integration_ids):
        if any(isinstance(error, ConfigError) for error in errors.values()):
            raise combined_error(errors)
        raise PartitionUnavailable(describe_errors(errors), passes=False)
    if errors:
        return [describe_errors(errors), *notes]
    return [*notes, *filters.describe_unknown(config.integration_ids)]


def _check_filters(
    config: KomboConfig, client: Client, integration_id: str, filters: RowFilters
) -> None:
    """Try the row filters. Raises `ConfigError` if Kombo does not accept them."""
    if not filters:
        return

    def request(batch: Batch) -> responses.RowsPage:
        rows = requests.rows(
            requests.base_url(config.base_url, config.region),
            CANDIDATES.path,
            integration_id=integration_id,
            page_size=1,
            include_deleted=config.include_deleted,
            filters=batch,
        )
        return client.send(rows, partial(responses.rows, integration_id=integration_id))

    try:
        for number in range(len(filters.batches))[:BATCHES_TO_TRY]:
            filters.request(integration_id, number, request, request)
    except NoSuchRows:
        return
    except InvalidInput as refusal:
        raise filters.refused(refusal) from None


def _check_integration(config: KomboConfig, client: Client, integration_id: str) -> list[str]:
    """Return notes on an integration. Raises an error if it cannot be read."""
    url = requests.base_url(config.base_url, config.region)
    integration = client.send(requests.integration(url, integration_id), responses.integration)
    reason = responses.integration_unavailable(integration)
    if reason is not None:
        raise reason
    available = [
        model for model in MODELS if not responses.model_unavailable(integration, model.read_model)
    ]
    if not available:
        message = (
            "None of this integration's data can be read: its applicant tracking system does not "
            "offer it, or it is switched off in its scope configuration in Kombo."
        )
        raise PartitionUnavailable(message, passes=False, detail=integration.where)
    probe = requests.rows(
        url, available[0].path, integration_id=integration_id, page_size=1, include_deleted=False
    )
    page = client.send(probe, partial(responses.rows, integration_id=integration_id))
    notes = []
    if config.candidate_files and available[0] is CANDIDATES:
        notes += _check_files(CandidateFiles(client, url, integration_id), page, integration_id)
    if len(available) < len(MODELS):
        names = ", ".join(model.stream for model in MODELS if model not in available)
        notes.append(
            f"Integration {integration_id} has nothing for {names}: its applicant tracking system "
            "does not offer them, or they are switched off in Kombo."
        )
    if integration.data_expired_at is not None:
        notes.append(
            f"Integration {integration_id}: filters or scopes were changed, so Kombo's copy is "
            "out of date until its next sync."
        )
    if integration.tool.id == "comeet":
        notes.append(
            f"Integration {integration_id} is itself Comeet: do not write its candidates back to "
            "Comeet."
        )
    return notes


def _check_files(files: CandidateFiles, page: responses.RowsPage, integration_id: str) -> list[str]:
    """Request the files of one candidate. Raises `PartitionUnavailable` if they are not allowed."""
    if not page.rows:
        note = "has no candidates yet, so it cannot be tested whether their files can be read."
        return [f"Integration {integration_id} {note}"]
    try:
        files.fetch(responses.candidate_head(page.rows[0]).id)
    except (RequestRefused, RetryableError) as error:
        note = f"Integration {integration_id}: the files of a candidate cannot be read now."
        return [f"{note} [{error.detail}]"]
    return []
