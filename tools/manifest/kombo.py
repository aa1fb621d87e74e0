"""`candidates`: each integration is a partition, and the bookmark is when its read began.

Kombo advises against the newest `changed_at` as bookmark: a row also comes back for a change beside
it. So each row gets the time at which the read of its integration began, and that is the cursor.
"""

from __future__ import annotations

from datetime import UTC, datetime

from source_ats.protocol.schemas import timestamp
from source_ats.vendors.kombo import requests, responses
from source_ats.vendors.kombo.config import KomboConfig
from source_ats.vendors.kombo.schemas import CANDIDATES
from tools.manifest.components import (
    Component,
    add_fields,
    api_key,
    cursor_pages,
    datetime_cursor,
    error_handler,
    exact,
    failure,
    requester,
    response_filter,
    retriever,
    stream,
    success,
    with_columns,
)

SECTION = "kombo"
FIELDS = (
    "api_key",
    "integration_ids",
    "region",
    "include_deleted",
    "concurrent_requests",
    "base_url",
)
STREAMS = ("candidates",)

_BASE = "https://base.example"
_MILLISECONDS = "%Y-%m-%dT%H:%M:%S.%_msZ"
_SINCE = datetime(1, 1, 1, tzinfo=UTC)
_REQUEST = requests.rows(
    _BASE,
    "candidates",
    integration_id="INTEGRATION",
    page_size=KomboConfig.model_fields["page_size"].default,
    include_deleted=True,
    updated_after=_SINCE,
)
_CODE = "(response.get('error') or {}).get('code')"
_USABLE = "'data' in response and 'error' not in response"

SCHEMAS: Component = {
    "candidates": with_columns(
        CANDIDATES,
        read_at=timestamp("When the read of the row's integration began, by Airbyte's clock."),
    )
}


def definitions() -> Component:
    """Return the components of this vendor."""
    candidates = requester(
        _REQUEST,
        "kombo_authenticator",
        "kombo_error_handler",
        {
            _BASE: (
                "{{ config['kombo'].get('base_url') or "
                f"{dict(requests.BASE_URLS)}"
                "[config['kombo'].get('region', 'eu')] }}"
            ),
            "INTEGRATION": "{{ stream_partition['integration_id'] }}",
            _REQUEST.params["updated_after"]: "{{ stream_interval['start_time'] }}",
        },
    )
    include_deleted = "{{ 'true' if config['kombo'].get('include_deleted', true) else 'false' }}"
    candidates["request_parameters"]["include_deleted"] = include_deleted
    return {
        "kombo_authenticator": api_key(
            requests.auth("TOKEN").headers(), "TOKEN", "{{ config['kombo']['api_key'] }}"
        ),
        "kombo_error_handler": error_handler(
            responses.VENDOR,
            success(_USABLE),
            *(
                response_filter(
                    "IGNORE", message, predicate="{{ " + _CODE + f" == '{code}'" + " }}"
                )
                for code, message in responses.UNAVAILABLE.items()
            ),
            failure(
                "Kombo does not know an integration. Correct kombo.integration_ids, kombo.region "
                "or kombo.api_key.",
                predicate="{{ " + _CODE + " == 'PLATFORM.INTEGRATION_NOT_FOUND' }}",
            ),
            usable=_USABLE,
        ),
        "kombo_candidates_requester": candidates,
        "candidates": stream(
            "candidates",
            "id",
            "candidates",
            retriever=retriever(
                "kombo_candidates_requester",
                {"field_path": ["data", "results"]},
                paginator=cursor_pages(
                    "response['data']['next']",
                    {"inject_into": "request_parameter", "field_name": "cursor"},
                ),
                partition_router={
                    "type": "ListPartitionRouter",
                    "cursor_field": "integration_id",
                    "values": "{{ config['kombo']['integration_ids'] }}",
                },
            ),
            incremental_sync=datetime_cursor("read_at", datetime_format=_MILLISECONDS),
            transformations=[
                add_fields(
                    integration_id=exact("stream_partition['integration_id']"),
                    read_at="{{ stream_interval['end_time'] }}",
                )
            ],
        ),
    }
