"""Airbyte's declarative components, as far as more than one vendor needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from source_ats.config import SourceConfig
from source_ats.http.models import Request, Vendor
from source_ats.protocol.schemas import Schema

Component = dict[str, Any]

_LOOKBACK = SourceConfig.model_fields["lookback_minutes"].default
LOOKBACK = "PT{{ config.get('lookback_minutes', " + str(_LOOKBACK) + ") }}M"
SECONDS = "%Y-%m-%dT%H:%M:%SZ"
MOST_SECONDS_TO_WAIT = 900
TIMEOUTS = {"connect_timeout_in_seconds": 30, "read_timeout_in_seconds": 120}
"""Without them a request waits for ever."""


def exact(expression: str) -> str:
    """Return a template whose value is exactly that of the expression.

    The CDK evaluates what a template renders as a Python literal: an ID of digits would become a
    number, and a list its text. The literal of the value comes out as the value.
    """
    return "{{ '%r' | format(" + expression + ") }}"


def add_fields(**values: str) -> Component:
    """Return the transformation that sets these fields, in this order."""
    fields = [
        {"type": "AddedFieldDefinition", "path": [name], "value": value}
        for name, value in values.items()
    ]
    return {"type": "AddFields", "fields": fields}


def api_key(headers: Mapping[str, str], token: str, template: str) -> Component:
    """Return the authenticator that sends these headers with the template for the token."""
    ((name, value),) = headers.items()
    return {
        "type": "ApiKeyAuthenticator",
        "api_token": value.replace(token, template),
        "inject_into": {"type": "RequestOption", "inject_into": "header", "field_name": name},
    }


def requester(
    request: Request, authenticator: str, error_handler: str, templates: Mapping[str, str]
) -> Component:
    """Return the component that sends this request.

    `templates` has what to put in the place of texts in the request. `authenticator` and
    `error_handler` are names in `definitions`.
    """
    optional = {
        "request_parameters": request.params,
        "request_headers": request.headers,
        "request_body": request.json and {"type": "RequestBodyJsonObject", "value": request.json},
    }
    filled: Component = filled_in(
        {
            "type": "HttpRequester",
            "url": request.url,
            "http_method": request.method,
            **{name: value for name, value in optional.items() if value},
        },
        templates,
    )
    # The cache would keep rows on the disk, and holds no answers that are in flight.
    return {
        **filled,
        "authenticator": definition(authenticator),
        "error_handler": definition(error_handler),
        "use_cache": False,
        **TIMEOUTS,
    }


def filled_in(value: Any, templates: Mapping[str, str]) -> Any:
    """Return parts of a request with templates in the place of texts."""
    if isinstance(value, Mapping):
        return {name: filled_in(each, templates) for name, each in value.items()}
    if isinstance(value, list):
        return [filled_in(each, templates) for each in value]
    if isinstance(value, str):
        for text, template in templates.items():
            value = value.replace(text, template)
    return value


def error_handler(vendor: Vendor, *first: Component, usable: str) -> Component:
    """Return what is done with errors: `first`, then what holds for every vendor.

    `usable` is the condition that an answer has to meet. The CDK takes one that is not JSON for an
    empty object, and without the condition its rows would be lost in silence. Each condition parses
    the whole answer again, so the one that is met stands as early as possible.

    A wait that the vendor names is obeyed. The messages are ours, since the CDK's quote the answer.
    """
    refused = f"{vendor.name} does not accept the credentials. Check {vendor.credentials}."
    return {
        "type": "DefaultErrorHandler",
        "backoff_strategies": [
            *(
                {
                    "type": "WaitTimeFromHeader",
                    "header": header,
                    "max_waiting_time_in_seconds": MOST_SECONDS_TO_WAIT,
                }
                for header in ("Retry-After", "ratelimit-reset")
            ),
            {"type": "ExponentialBackoffStrategy", "factor": 2},
        ],
        "response_filters": [
            *first,
            failure(refused, http_codes=[401, 403]),
            response_filter("RATE_LIMITED", f"{vendor.name}'s rate limit is exhausted.", [429]),
            response_filter(
                "RETRY",
                f"{vendor.name} answered with a server error.",
                [408, 500, 502, 503, 504],
                failure_type="transient_error",
            ),
            failure(
                f"{vendor.name} refused a request.",
                failure_type="system_error",
                http_codes=[400, 404, 405, 406, 409, 410, 413, 415, 422],
            ),
            success(usable),
            response_filter(
                "RETRY",
                f"{vendor.name} sent an answer that is not usable.",
                failure_type="transient_error",
                predicate="{{ true }}",
            ),
        ],
    }


def success(usable: str) -> Component:
    """Return the filter that takes an answer as it is."""
    predicate = "{{ " + usable + " }}"
    return {"type": "HttpResponseFilter", "action": "SUCCESS", "predicate": predicate}


def response_filter(
    action: str, message: str, http_codes: Sequence[int] = (), **rest: object
) -> Component:
    """Return what is done with these answers."""
    codes = {"http_codes": list(http_codes)} if http_codes else {}
    return {
        "type": "HttpResponseFilter",
        "action": action,
        **codes,
        **rest,
        "error_message": message,
    }


def failure(
    message: str, *, http_codes: Sequence[int] = (), failure_type: str = "config_error", **rest: str
) -> Component:
    """Return the filter that ends a partition with this message."""
    return response_filter("FAIL", message, http_codes, failure_type=failure_type, **rest)


def cursor_pages(cursor: str, option: Component) -> Component:
    """Return the paginator for a list whose answers hold the next page's cursor, or null."""
    return {
        "type": "DefaultPaginator",
        "page_token_option": {"type": "RequestOption", **option},
        "pagination_strategy": {
            "type": "CursorPagination",
            "cursor_value": exact(f"{cursor} or none"),
            "stop_condition": "{{ not " + cursor + " }}",
        },
    }


def datetime_cursor(field: str, **rest: Any) -> Component:
    """Return the cursor of a stream whose records hold in `field` until when they are complete."""
    return {
        "type": "DatetimeBasedCursor",
        "cursor_field": field,
        "start_datetime": {
            "type": "MinMaxDatetime",
            "datetime": "{{ format_datetime(config['start_date'], '" + SECONDS + "') }}",
            "datetime_format": SECONDS,
        },
        "lookback_window": LOOKBACK,
        **rest,
    }


def stream(name: str, primary_key: str, schema: str | None = None, **rest: Any) -> Component:
    """Return a stream. Without a schema it is only a parent, which is not in the catalog."""
    loaded = {"$ref": f"#/schemas/{schema}"} if schema else {"type": "object", "properties": {}}
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": [primary_key],
        "schema_loader": {"type": "InlineSchemaLoader", "schema": loaded},
        **rest,
    }


def retriever(requester_name: str, extractor: Component, **rest: Any) -> Component:
    """Return the component that reads the records of a stream."""
    selector = {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", **extractor}}
    if "record_filter" in rest:
        selector["record_filter"] = rest.pop("record_filter")
    return {
        "type": "SimpleRetriever",
        "requester": definition(requester_name),
        "record_selector": selector,
        **rest,
    }


def definition(name: str) -> Component:
    """Return a reference to a definition."""
    return {"$ref": f"#/definitions/{name}"}


def with_columns(schema: Schema, *without: str, **columns: Schema) -> Component:
    """Return a stream's schema with other columns."""
    kept = {name: each for name, each in schema["properties"].items() if name not in without}
    return {**schema, "properties": {**kept, **columns}}
