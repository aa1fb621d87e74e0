"""The CDK's classic way: `AbstractSource` and `HttpStream`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from airbyte_cdk.entrypoint import launch
from airbyte_cdk.models import ConnectorSpecification
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.sources.streams.http import HttpStream

from tools.benchmark.opponents import IDS_PER_REQUEST, INCLUDE, INTEGRATION

Json = Mapping[str, Any]


class _Stream(HttpStream):
    """What the streams share: where the server is, and schemas that are open."""

    primary_key = None

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    @property
    def url_base(self) -> str:
        return self._url

    def get_json_schema(self) -> Json:  # type: ignore[override] # theirs is cached
        return {"type": "object", "additionalProperties": True, "properties": {}}

    def next_page_token(self, response: requests.Response) -> Json | None:
        return None


class Candidates(_Stream):
    """Pages by cursor."""

    def path(self, **_: Any) -> str:
        return "/kombo/v1/ats/candidates"

    def request_headers(self, *_: Any, **__: Any) -> Json:
        return {"X-Integration-Id": INTEGRATION}

    def request_params(self, *_: Any, next_page_token: Json | None = None, **__: Any) -> Any:
        return {"page_size": "250", "include_deleted": "true", **(next_page_token or {})}

    def next_page_token(self, response: requests.Response) -> Json | None:
        cursor = response.json()["data"]["next"]
        return {"cursor": cursor} if cursor else None

    def parse_response(self, response: requests.Response, **_: Any) -> Iterable[Json]:
        for row in response.json()["data"]["results"]:
            row["integration_id"] = INTEGRATION
            yield row


class Listed(_Stream):
    """Pages by number."""

    def path(self, **_: Any) -> str:
        return "/atz_crm/v1/candidate"

    def request_params(self, *_: Any, next_page_token: Json | None = None, **__: Any) -> Any:
        return {"page": "1", "limit": "100", **(next_page_token or {})}

    def next_page_token(self, response: requests.Response) -> Json | None:
        if len(response.json()) < 100:
            return None
        (page,) = parse_qs(urlsplit(response.url).query)["page"]
        return {"page": str(int(page) + 1)}

    def parse_response(self, response: requests.Response, **_: Any) -> Iterable[Json]:
        yield from response.json()


class CandidateHistory(_Stream):
    """A slice for each candidate."""

    def stream_slices(self, **_: Any) -> Iterable[Json]:
        for listed in Listed(self._url).read_only_records():
            if isinstance(listed, Mapping):
                yield {"slug": listed["slug"]}

    def path(self, *, stream_slice: Json | None = None, **_: Any) -> str:
        return f"/atz_crm/v1/candidate/{(stream_slice or {})['slug']}/history"

    def parse_response(
        self, response: requests.Response, *, stream_slice: Json | None = None, **_: Any
    ) -> Iterable[Json]:
        for row in response.json():
            row["candidate_slug"] = (stream_slice or {})["slug"]
            yield row


class Guids(_Stream):
    """Pages by cursor, of which each is one record."""

    http_method = "POST"

    def path(self, **_: Any) -> str:
        return "/talemetry/match/v1/people/ids"

    def request_body_json(self, *_: Any, next_page_token: Json | None = None, **__: Any) -> Json:
        return {"PageSize": 100, **(next_page_token or {})}

    def next_page_token(self, response: requests.Response) -> Json | None:
        cursor = response.json()["result"]["Cursor"]
        return {"Cursor": cursor} if cursor else None

    def parse_response(self, response: requests.Response, **_: Any) -> Iterable[Json]:
        yield {"ids": response.json()["result"]["Ids"]}


class Profiles(_Stream):
    """A slice for each batch of GUIDs."""

    http_method = "POST"

    def stream_slices(self, **_: Any) -> Iterable[Json]:
        for page in Guids(self._url).read_only_records():
            if isinstance(page, Mapping):
                ids = page["ids"]
                for first in range(0, len(ids), IDS_PER_REQUEST):
                    yield {"ids": ids[first : first + IDS_PER_REQUEST]}

    def path(self, **_: Any) -> str:
        return "/talemetry/soap/profiles/v1"

    def request_body_json(self, *_: Any, stream_slice: Json | None = None, **__: Any) -> Json:
        return {"ids": (stream_slice or {})["ids"], "include": INCLUDE}

    def parse_response(self, response: requests.Response, **_: Any) -> Iterable[Json]:
        for each in response.json()["result"]["Candidates"]:
            yield each["Candidate"]


class Source(AbstractSource):
    """The three streams."""

    def check_connection(self, logger: logging.Logger, config: Json) -> tuple[bool, None]:
        """Do not look."""
        return True, None

    def streams(self, config: Json) -> list[Stream]:
        """Return all of them."""
        url = config["url"]
        return [Candidates(url), CandidateHistory(url), Profiles(url)]

    def spec(self, logger: logging.Logger) -> Any:
        """Return a form with the server's address."""
        form = {"type": "object", "properties": {"url": {"type": "string"}}}
        return ConnectorSpecification(connectionSpecification=form)


if __name__ == "__main__":
    launch(Source(), sys.argv[1:])
