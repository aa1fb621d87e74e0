"""Whether Kombo can be read: the key, then each integration, then one small read of it."""

from __future__ import annotations

from functools import partial

from source_ats.errors import AtsError, ConfigError, PartitionUnavailable, UnknownPartition
from source_ats.http.client import Client
from source_ats.vendors.kombo import requests, responses
from source_ats.vendors.kombo.config import KomboConfig
from source_ats.vendors.kombo.streams import MODELS, base_url


def check(section: KomboConfig, client: Client) -> list[str]:
    """Return what the user should know of integrations that cannot be read now.

    Raises `ConfigError` if the key is bad or an integration is unknown, `PartitionUnavailable` if
    none can be read, and `TransientError` if Kombo does not answer. No rows is healthy: many
    integrations hold only what was created through Kombo.
    """
    client.send(requests.check_api_key(base_url(section)), responses.environment)
    problems = {}
    notes = []
    for integration_id in section.integration_ids:
        try:
            notes += _check_integration(section, client, integration_id)
        except (PartitionUnavailable, UnknownPartition) as error:
            if isinstance(error, UnknownPartition):
                message = (
                    f"Integration {integration_id} {error.message}. Correct "
                    "kombo.integration_ids, kombo.region or kombo.api_key."
                )
                raise ConfigError(message, detail=error.detail) from None
            problems[integration_id] = f"Integration {integration_id} {error.message}."
    texts = [*problems.values(), *notes]
    if len(problems) == len(section.integration_ids):
        message = "No Kombo integration can be read. " + " ".join(texts)
        raise PartitionUnavailable(message, passes=False)
    return texts


def _check_integration(section: KomboConfig, client: Client, integration_id: str) -> list[str]:
    """Return notes on an integration. Raises `PartitionUnavailable` if it cannot be read."""
    url = base_url(section)
    about = client.send(requests.integration(url, integration_id), responses.integration)
    problem = _problem(about)
    if problem is not None:
        raise problem
    shown = [model for model in MODELS if responses.missing(about, model.id) is None]
    probe = requests.rows(
        url, shown[0].path, integration_id=integration_id, page_size=1, include_deleted=True
    )
    client.send(probe, partial(responses.rows, integration_id=integration_id))
    notes = []
    if len(shown) < len(MODELS):
        without = ", ".join(model.stream for model in MODELS if model not in shown)
        notes.append(
            f"Integration {integration_id} has nothing for {without}: not offered by "
            "its applicant tracking system, or switched off in Kombo."
        )
    if about.data_expired_at is not None:
        notes.append(
            f"Integration {integration_id}: Kombo's copy is out of date until its next sync, "
            "because filters or scopes were changed."
        )
    if about.tool.id == "comeet":
        notes.append(
            f"Integration {integration_id} is itself Comeet: do not write its candidates back to "
            "Comeet."
        )
    return notes


def _problem(about: responses.Integration) -> AtsError | None:
    """Return why an integration cannot be read, by what it says of itself."""
    # An integration that is INVALID or INACTIVE may still serve its last, stale copy.
    if about.category != "ATS":
        return PartitionUnavailable(
            f"is of category {about.category}, not an applicant tracking system", passes=False
        )
    if about.status == "INVALID":
        return responses.not_readable("INTEGRATION.AUTHENTICATION_INVALID")
    if about.status == "INACTIVE":
        return responses.not_readable("INTEGRATION.INACTIVE")
    if about.setup_status == "INCOMPLETE":
        return responses.not_readable("INTEGRATION.SETUP_INCOMPLETE")
    if about.setup_status == "FINAL_SYNC_PENDING":
        return responses.not_readable("INTEGRATION.SETUP_SYNC_PENDING")
    missing = [responses.missing(about, model.id) for model in MODELS]
    return missing[0] if all(missing) else None
