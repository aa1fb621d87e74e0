"""The check: the list of candidates, the job if one is configured, and one history."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from source_ats.errors import ConfigError, RequestRefused
from source_ats.http.client import Client
from source_ats.vendors.atz_crm import requests, responses
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.list_reader import ListReader
from source_ats.vendors.atz_crm.responses import ListedObject

HISTORIES_TO_TRY = 3
"""One refusal may be due to that candidate alone."""
NO_HISTORY = {404, 410}
"""The candidate was deleted, or (assumed) never had a job."""


def check(config: AtzCrmConfig, client: Client) -> list[str]:
    """Return notes for the user.

    Raises `ConfigError` if the token is not accepted or the job is unknown, `RequestRefused` if no
    history can be read, and `TransientError` if ATZ CRM does not answer.
    """
    base_url = config.base_url or requests.BASE_URL
    if config.candidate_slugs:
        candidates: Sequence[ListedObject] = [
            ListedObject(slug, b"null", None) for slug in sorted(config.candidate_slugs)
        ]
    else:
        candidates = ListReader(config, client, requests.CANDIDATES).first_page().objects
    if config.job_slug:
        _check_job(base_url, client, config.job_slug)
    if not candidates:
        return [
            "ATZ CRM shows no candidates to this token. It shows what the token's user may see."
        ]
    refusals = []
    for candidate in candidates[:HISTORIES_TO_TRY]:
        request = requests.history(base_url, candidate.slug, config.job_slug)
        read = partial(responses.history, candidate=candidate, job_slug=config.job_slug, since=None)
        try:
            client.send(request, read)
        except RequestRefused as refusal:
            if refusal.status not in NO_HISTORY:
                refusals.append(refusal)
                continue
            if config.candidate_slugs:
                return [f"ATZ CRM has no history of {candidate.slug} (atz_crm.candidate_slugs)."]
        return []
    if config.candidate_slugs:
        message = "ATZ CRM refuses the histories asked for. Correct atz_crm.candidate_slugs."
        raise ConfigError(message, detail=refusals[-1].detail)
    raise refusals[-1]


def _check_job(base_url: str, client: Client, job_slug: str) -> None:
    """Raise `ConfigError` if there is no such job: its histories would all be empty."""
    try:
        client.send(requests.job(base_url, job_slug), responses.ignore_body)
    except RequestRefused as refusal:
        if refusal.status == 404:
            message = f"ATZ CRM has no job {job_slug}. Correct atz_crm.job_slug."
            raise ConfigError(message, detail=refusal.detail) from None
