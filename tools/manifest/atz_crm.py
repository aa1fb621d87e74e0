"""`candidate_history`: the list of candidates, then one request for each.

It has no bookmark: the API names no changes, and a candidate's rows belong together.
"""

from __future__ import annotations

from source_ats.protocol.schemas import string, timestamp
from source_ats.vendors.atz_crm import requests, responses
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.schemas import CANDIDATE_HISTORY
from tools.manifest.components import (
    Component,
    add_fields,
    api_key,
    error_handler,
    exact,
    requester,
    response_filter,
    retriever,
    stream,
    with_columns,
)

SECTION = "atz_crm"
FIELDS = ("access_token", "requests_per_minute", "concurrent_requests", "base_url")
STREAMS = ("candidate_history",)

_BASE = "https://base.example"
_TEMPLATES = {
    _BASE: "{{ config['atz_crm'].get('base_url') or '" + requests.BASE_URL + "' }}",
    "SLUG": "{{ stream_partition['slug'] }}",
}
_PER_MINUTE = AtzCrmConfig.model_fields["requests_per_minute"].default
_LIMIT = "{{ config.get('atz_crm', {}).get('requests_per_minute', " + str(_PER_MINUTE) + ") }}"

SCHEMAS: Component = {
    "candidate_history": with_columns(
        CANDIDATE_HISTORY,
        id=string(
            "The primary key, made from the candidate and all that the row holds: a row that is "
            "edited gets another one."
        ),
        read_at=timestamp("When the row's candidate was listed, by Airbyte's clock."),
    )
}
BUDGET: Component = {
    "type": "HTTPAPIBudget",
    "policies": [
        {
            "type": "MovingWindowCallRatePolicy",
            "rates": [
                {
                    "type": "Rate",
                    "limit": _LIMIT,
                    "interval": "PT1M",
                }
            ],
            # The list and the histories. No path of another vendor ends so.
            "matchers": [
                {
                    "type": "HttpRequestRegexMatcher",
                    "url_path_pattern": f"/{requests.CANDIDATES.path}(/[^/]+/history)?$",
                }
            ],
        }
    ],
}


def definitions() -> Component:
    """Return the components of this vendor."""
    listing = requests.list_page(
        requests.CANDIDATES,
        _BASE,
        page=1,
        limit=AtzCrmConfig.model_fields["page_size"].default,
        sort=requests.BY_AGE,
    )
    history = requests.history(_BASE, "SLUG", None)
    listed = requester(listing, "atz_crm_authenticator", "atz_crm_error_handler", _TEMPLATES)
    del listed["request_parameters"]["page"]
    return {
        "atz_crm_authenticator": api_key(
            requests.auth("TOKEN").headers(), "TOKEN", "{{ config['atz_crm']['access_token'] }}"
        ),
        "atz_crm_error_handler": error_handler(
            responses.VENDOR,
            response_filter(
                "IGNORE",
                "ATZ CRM has no history of a candidate: the candidate was deleted, or has no job.",
                [404],
            ),
            # The list and a history are arrays; a history may be null.
            usable="response is not mapping",
        ),
        "atz_crm_candidates_requester": listed,
        "atz_crm_history_requester": requester(
            history, "atz_crm_authenticator", "atz_crm_error_handler", _TEMPLATES
        ),
        "atz_crm_candidates": stream(
            "atz_crm_candidates",
            "slug",
            retriever=retriever(
                "atz_crm_candidates_requester",
                {"field_path": []},
                paginator={
                    "type": "DefaultPaginator",
                    "page_token_option": {
                        "type": "RequestOption",
                        "inject_into": "request_parameter",
                        "field_name": "page",
                    },
                    # Without a page size, since a short page is not the end.
                    "pagination_strategy": {
                        "type": "PageIncrement",
                        "start_from_page": 1,
                        "inject_on_first_request": True,
                    },
                },
            ),
            transformations=[
                add_fields(read_at="{{ now_utc().strftime('%Y-%m-%dT%H:%M:%S.%fZ') }}")
            ],
        ),
        "candidate_history": stream(
            "candidate_history",
            "id",
            "candidate_history",
            retriever=retriever(
                "atz_crm_history_requester",
                {"field_path": []},
                partition_router={
                    "type": "SubstreamPartitionRouter",
                    "parent_stream_configs": [
                        {
                            "type": "ParentStreamConfig",
                            "parent_key": "slug",
                            "partition_field": "slug",
                            "extra_fields": [["id"], ["read_at"]],
                            "stream": {"$ref": "#/definitions/atz_crm_candidates"},
                        }
                    ],
                },
            ),
            transformations=[
                add_fields(
                    # The API gives none. Rows alike in everything are one.
                    id=exact("(stream_partition['slug'] ~ (record | tojson)) | hash"),
                    candidate_id=exact("stream_slice.extra_fields['id']"),
                    candidate_slug=exact("stream_partition['slug']"),
                    read_at="{{ stream_slice.extra_fields['read_at'] }}",
                )
            ],
        ),
    }
