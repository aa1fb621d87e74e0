"""The check: the list of candidates, the job if one is configured, and one history."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from source_ats.errors import (
    AtsError,
    ConfigError,
    ContractError,
    RequestRefused,
    RetryableError,
    Stopped,
    TransientError,
)
from source_ats.http.client import Client
from source_ats.sync.page_size import ONE_ATTEMPT
from source_ats.vendors.atz_crm import requests, responses
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.list_reader import ListReader
from source_ats.vendors.atz_crm.responses import ListedObject

HISTORIES_TO_TRY = 3
"""One refusal may be due to that candidate alone."""
ONE_OBJECT = (ContractError, TransientError)
"""What may be due to the one candidate or list that was asked for."""
NO_HISTORY = {404, 410}
"""The candidate was deleted, or (assumed) never had a job."""


def check(config: AtzCrmConfig, client: Client) -> list[str]:
    """Return notes for the user, also which streams cannot be read while others can.

    Raises `ConfigError` if the token is not accepted or the job is unknown, and otherwise why
    neither candidates nor deals, or no history, can be read.
    """
    if config.candidate_slugs:
        candidates: Sequence[ListedObject] = [
            ListedObject(slug, b"null", None) for slug in sorted(config.candidate_slugs)
        ]
    else:
        try:
            candidates = ListReader(config, client, requests.CANDIDATES).first_page().objects
        except (*ONE_OBJECT, ConfigError) as error:
            _raise_if_general(error)
            _check_deals(config, client, error)
            streams = "atz_candidates and candidate_history cannot be read"
            return [f"{streams}: {error.message}"]
    if config.job_slug:
        _check_job(requests.base_url(config.base_url), client, config.job_slug)
    if not candidates:
        return [
            "ATZ CRM shows no candidates to this token. It shows what the token's user may see."
        ]
    return _check_histories(config, client, candidates)


def _check_histories(
    config: AtzCrmConfig, client: Client, candidates: Sequence[ListedObject]
) -> list[str]:
    """Return a note if the first candidate was chosen and has none; raise why none can be read."""
    base_url = requests.base_url(config.base_url)
    failure: AtsError | None = None
    for candidate in candidates[:HISTORIES_TO_TRY]:
        request = requests.history(base_url, candidate.slug, config.job_slug)
        read = partial(responses.history, candidate=candidate, job_slug=config.job_slug, since=None)
        try:
            # If ATZ CRM is down, the first candidate has shown that with the usual patience.
            client.send(request, read, retry_policy=ONE_ATTEMPT if failure else None)
        except ONE_OBJECT as error:
            _raise_if_general(error)
            if not (isinstance(error, RequestRefused) and error.status in NO_HISTORY):
                failure = error
                continue
            if config.candidate_slugs:
                return [f"ATZ CRM has no history of {candidate.slug} (atz_crm.candidate_slugs)."]
        return []
    if config.candidate_slugs and isinstance(failure, RequestRefused):
        message = "ATZ CRM refuses the histories asked for. Correct atz_crm.candidate_slugs."
        raise ConfigError(message, detail=failure.detail)
    if failure:
        raise failure
    return []


def _raise_if_general(error: AtsError) -> None:
    """Raise the error if the run was asked to end, or for a rate limit: all requests share it."""
    if isinstance(error, Stopped) or (isinstance(error, RetryableError) and error.rate_limit):
        raise error


def _check_deals(config: AtzCrmConfig, client: Client, error: AtsError) -> None:
    """Raise `error`, which the list of candidates gave, if deals cannot be read either."""
    try:
        ListReader(config, client, requests.DEALS).first_page()
    except (*ONE_OBJECT, ConfigError):
        raise error from None


def _check_job(base_url: str, client: Client, job_slug: str) -> None:
    """Raise `ConfigError` if there is no such job: its histories would all be empty."""
    try:
        client.send(requests.job(base_url, job_slug), responses.ignore_body)
    except RequestRefused as refusal:
        if refusal.status == 404:
            message = f"ATZ CRM has no job {job_slug}. Correct atz_crm.job_slug."
            raise ConfigError(message, detail=refusal.detail) from None
