"""Whether ATZ CRM can be read: the list of candidates, the job if one is named, one history."""

from __future__ import annotations

from functools import partial

from source_ats.errors import ConfigError, RequestRefused
from source_ats.http.client import Client
from source_ats.vendors.atz_crm import requests, responses
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.history import GONE
from source_ats.vendors.atz_crm.listing import Lister, base_url

HISTORIES_TO_TRY = 3
"""One refusal may be a matter of that candidate."""


def check(section: AtzCrmConfig, client: Client) -> list[str]:
    """Return what the user should know.

    Raises `ConfigError` if the token is bad or the job unknown, `RequestRefused` if no history can
    be read, and `TransientError` if ATZ CRM does not answer.
    """
    candidates = Lister(section, client, requests.CANDIDATES).first_page().objects
    if section.job_slug:
        _check_job(section, client, section.job_slug)
    if not candidates:
        return ["ATZ CRM shows no candidates to this token; it shows what its user may see."]
    refusals = []
    for candidate in candidates[:HISTORIES_TO_TRY]:
        request = requests.history(base_url(section), candidate.slug, section.job_slug)
        read = partial(
            responses.history, candidate=candidate, job_slug=section.job_slug, since=None
        )
        try:
            client.send(request, read)
        except RequestRefused as refusal:
            if refusal.status not in GONE:
                refusals.append(refusal)
                continue
        return []
    raise refusals[-1]


def _check_job(section: AtzCrmConfig, client: Client, job_slug: str) -> None:
    """Raise `ConfigError` if there is no such job: its history would just be empty."""
    try:
        client.send(requests.job(base_url(section), job_slug), responses.anything)
    except RequestRefused as refusal:
        if refusal.status == 404:
            message = f"ATZ CRM has no job {job_slug}. Correct atz_crm.job_slug."
            raise ConfigError(message, detail=refusal.detail) from None
