"""dlt's way: its `rest_api` source, extracted to files.

For more than one request in flight its resources are `parallelized`, as its documentation advises.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator
from dlt.sources.rest_api import rest_api_resources, rest_api_source

from tools.benchmark.opponents import IDS_PER_REQUEST, INCLUDE, INTEGRATION


def candidates(url: str, in_flight: int, integrations: int) -> Any:
    """Pages by cursor; a resource for each integration, all into one table."""
    return rest_api_source(
        {
            "client": {
                "base_url": f"{url}/kombo/v1/",
                "auth": {"type": "bearer", "token": "bench"},
            },
            "resources": [_of_one_integration(number) for number in range(integrations)],
        },
        parallelized=in_flight > 1,
    )


def _of_one_integration(number: int) -> Any:
    integration_id = f"{INTEGRATION}{number}"

    def with_integration(row: dict[str, Any]) -> dict[str, Any]:
        row["integration_id"] = integration_id
        return row

    return {
        "name": f"candidates_{number}",
        "table_name": "candidates",
        "endpoint": {
            "path": "ats/candidates",
            "headers": {"X-Integration-Id": integration_id},
            "params": {"page_size": 250, "include_deleted": "true"},
            "data_selector": "data.results",
            "paginator": {"type": "cursor", "cursor_path": "data.next", "cursor_param": "cursor"},
        },
        "processing_steps": [{"map": with_integration}],
    }


def candidate_history(url: str, in_flight: int, _: int) -> Any:
    """A child of each candidate."""
    pages = {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": None}
    history = {
        "path": "candidate/{slug}/history",
        "params": {"slug": {"type": "resolve", "resource": "listed", "field": "slug"}},
        "paginator": "single_page",
    }
    return rest_api_resources(
        {
            "client": {"base_url": f"{url}/atz_crm/v1/"},
            "resources": [
                {
                    "name": "listed",
                    "selected": False,
                    "endpoint": {
                        "path": "candidate",
                        "params": {"limit": 100},
                        "paginator": pages,
                    },
                },
                {
                    "name": "candidate_history",
                    "parallelized": in_flight > 1,
                    "include_from_parent": ["slug"],
                    "endpoint": history,
                },
            ],
        }
    )


def profiles(url: str, in_flight: int, _: int) -> Any:
    """Batches of GUIDs, by hand: the `rest_api` source makes one request for each parent."""
    client = RESTClient(base_url=f"{url}/talemetry/")

    @dlt.resource(selected=False)
    def guids() -> Iterator[list[str]]:
        paginator = JSONResponseCursorPaginator("result.Cursor", cursor_body_path="Cursor")
        for page in client.paginate(
            "match/v1/people/ids",
            method="POST",
            json={"PageSize": 100},
            paginator=paginator,
            data_selector="result.Ids",
        ):
            for first in range(0, len(page), IDS_PER_REQUEST):
                yield page[first : first + IDS_PER_REQUEST]

    @dlt.transformer(data_from=guids, parallelized=in_flight > 1)
    def profiles(ids: list[str]) -> list[dict[str, Any]]:
        body = {"ids": ids, "include": INCLUDE}
        answer = client.post("soap/profiles/v1", json=body).json()
        return [each["Candidate"] for each in answer["result"]["Candidates"]]

    return [profiles]


STREAMS = {"candidates": candidates, "candidate_history": candidate_history, "profiles": profiles}


def main(url: str, stream: str, folder: str, in_flight: str, integrations: str) -> None:
    """Extract the stream into files in the folder, with this many requests in flight."""
    # Neither of these is a reader's work.
    dlt.config["runtime.dlthub_telemetry"] = False
    dlt.config["data_writer.disable_compression"] = True
    dlt.config["extract.workers"] = int(in_flight)
    pipeline = dlt.pipeline("benchmark", pipelines_dir=folder, destination="filesystem")
    pipeline.extract(STREAMS[stream](url, int(in_flight), int(integrations)))


if __name__ == "__main__":
    main(*sys.argv[1:])
