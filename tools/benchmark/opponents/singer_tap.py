"""The Singer SDK's way: a tap of `RESTStream`s.

It sends one request at a time; its documentation has nothing for more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import requests
from singer_sdk import RESTStream, Stream, Tap
from singer_sdk.pagination import BaseAPIPaginator, JSONPathPaginator, PageNumberPaginator

from tools.benchmark.opponents import IDS_PER_REQUEST, INCLUDE

Json = Mapping[str, Any]


class _Stream(RESTStream[Any]):
    """What the streams share: where the server is, and schemas that are open."""

    schema: ClassVar[Json] = {"type": "object", "additionalProperties": True, "properties": {}}

    @property
    def url_base(self) -> str:
        return str(self.config["url"])

    @property
    def http_headers(self) -> dict[str, str]:
        return {"Authorization": "Bearer bench"}


class Candidates(_Stream):
    """Pages by cursor; a partition for each integration."""

    name = "candidates"
    path = "/kombo/v1/ats/candidates"
    records_jsonpath = "$.data.results[*]"

    @property
    def partitions(self) -> list[dict[str, Any]]:
        return [{"integration_id": each} for each in self.config["integration_ids"]]

    def prepare_request(self, context: Any, next_page_token: Any) -> requests.PreparedRequest:
        request: requests.PreparedRequest = super().prepare_request(context, next_page_token)
        request.headers["X-Integration-Id"] = context["integration_id"]
        return request

    def get_new_paginator(self) -> BaseAPIPaginator[Any]:
        return JSONPathPaginator("$.data.next")

    def get_url_params(self, context: Any, next_page_token: str | None) -> dict[str, Any]:
        params = {"page_size": "250", "include_deleted": "true"}
        return {**params, "cursor": next_page_token} if next_page_token else params

    def post_process(self, row: dict[str, Any], context: Any = None) -> dict[str, Any]:
        row["integration_id"] = context["integration_id"]
        return row


class _Pages(PageNumberPaginator):
    def has_more(self, response: requests.Response) -> bool:
        return len(response.json()) == 100


class Listed(_Stream):
    """Pages by number; nothing of them is printed."""

    name = "listed"
    path = "/atz_crm/v1/candidate"
    selected_by_default = False

    def get_new_paginator(self) -> BaseAPIPaginator[Any]:
        return _Pages(1)

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:
        return {"page": str(next_page_token or 1), "limit": "100"}

    def get_child_context(self, record: Any, context: Any) -> dict[str, Any]:
        return {"candidate_slug": record["slug"]}


class CandidateHistory(_Stream):
    """A child of each candidate."""

    name = "candidate_history"
    path = "/atz_crm/v1/candidate/{candidate_slug}/history"
    parent_stream_type = Listed
    state_partitioning_keys = ()


class Guids(_Stream):
    """Pages by cursor, of which each is one record; nothing of them is printed."""

    name = "guids"
    path = "/talemetry/match/v1/people/ids"
    http_method = "POST"
    records_jsonpath = "$.result"
    selected_by_default = False

    def get_new_paginator(self) -> BaseAPIPaginator[Any]:
        return JSONPathPaginator("$.result.Cursor")

    def prepare_request_payload(self, context: Any, next_page_token: str | None) -> dict[str, Any]:
        return {"PageSize": 100, **({"Cursor": next_page_token} if next_page_token else {})}

    def generate_child_contexts(self, record: Any, context: Any) -> Iterable[dict[str, Any]]:
        ids = record["Ids"]
        for first in range(0, len(ids), IDS_PER_REQUEST):
            yield {"ids": ids[first : first + IDS_PER_REQUEST]}


class Profiles(_Stream):
    """A child of each batch of GUIDs."""

    name = "profiles"
    path = "/talemetry/soap/profiles/v1"
    http_method = "POST"
    records_jsonpath = "$.result.Candidates[*].Candidate"
    parent_stream_type = Guids
    state_partitioning_keys = ()

    def prepare_request_payload(self, context: Any, next_page_token: str | None) -> dict[str, Any]:
        return {"ids": context["ids"], "include": INCLUDE}


KINDS: Mapping[str, tuple[type[Stream], ...]] = {
    "candidates": (Candidates,),
    "candidate_history": (Listed, CandidateHistory),
    "profiles": (Guids, Profiles),
}


class TapAts(Tap):
    """One of the three streams, as the configuration says."""

    name = "tap-ats"
    config_jsonschema: ClassVar[Json] = {
        "type": "object",
        "properties": {
            "url": {"type": "string"},
            "stream": {"type": "string"},
            "integration_ids": {"type": "array", "items": {"type": "string"}},
        },
    }

    def discover_streams(self) -> list[Stream]:
        """Return it, and its parent."""
        return [kind(self) for kind in KINDS[self.config["stream"]]]


if __name__ == "__main__":
    TapAts.cli()
