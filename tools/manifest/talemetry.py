"""`profiles`: GUIDs by event and window, details in batches. `deleted_profiles`: the third event.

A stream reads one endpoint, and the details of a deleted person are gone: so deletions, which are
rows of `profiles` elsewhere, are a stream of their own here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import get_args

from source_ats.vendors.talemetry import requests, responses
from source_ats.vendors.talemetry.config import (
    IncludeOption,
    TalemetryConfig,
    TokenCredentials,
)
from source_ats.vendors.talemetry.record import COPIES
from source_ats.vendors.talemetry.schemas import PROFILES
from source_ats.vendors.talemetry.windows import BEHIND_THE_CLOCK, EVENTS_OF_A_WINDOW
from tools.manifest.components import (
    SECONDS,
    Component,
    add_fields,
    api_key,
    cursor_pages,
    datetime_cursor,
    error_handler,
    exact,
    failure,
    filled_in,
    requester,
    retriever,
    stream,
    with_columns,
)

SECTION = "talemetry"
FIELDS = ("credentials", "window_days", "concurrent_requests", "ids_base_url", "profiles_base_url")
STREAMS = ("profiles", "deleted_profiles")

_CONFIG = TalemetryConfig(
    credentials=TokenCredentials(auth_type="token", token="TOKEN"),  # noqa: S106 - a placeholder
    ids_base_url="https://ids.example",
    profiles_base_url="https://profiles.example",
)
_START, _END = datetime(1, 1, 1, tzinfo=UTC), datetime(2, 1, 1, tzinfo=UTC)
_TEMPLATES = {
    "https://ids.example": (
        "{{ config['talemetry'].get('ids_base_url') or '" + requests.IDS_BASE_URL + "' }}"
    ),
    "https://profiles.example": (
        "{{ config['talemetry'].get('profiles_base_url') or '" + requests.PROFILES_BASE_URL + "' }}"
    ),
    "0001-01-01T00:00:00Z": "{{ stream_interval['start_time'] }}",
    # Windows share a second: whether their ends belong to them is not documented.
    "0002-01-01T00:00:00Z": (
        "{{ (str_to_datetime(stream_interval['end_time']) + duration('PT1S'))"
        ".strftime('" + SECONDS + "') }}"
    ),
    "EVENT": "{{ stream_partition['event'] }}",
}
_BEHIND = f"duration('PT{BEHIND_THE_CLOCK.total_seconds():.0f}S')"
_END_OF_THE_LAST_WINDOW = "{{ (now_utc() - " + _BEHIND + ").strftime('" + SECONDS + "') }}"
_EVENTS = [event for event in EVENTS_OF_A_WINDOW if event != "deleted"]


def _at(*path: str) -> str:
    """Return the expression for a value in the candidate. Parts of the path may be missing."""
    expression = "record['Candidate']"
    for key in path:
        expression = f"({expression} or {{}})['{key}']"
    return expression


_RESUME = ("Resume", "StructuredXMLResume")
_CONTACT = (*_RESUME, "ContactInfo")
_GUID = _at("CandidateRecordInfo", "Id", "IdValue")

SCHEMAS: Component = {
    "profiles": with_columns(PROFILES, "extra"),
    "deleted_profiles": with_columns(
        PROFILES, *(PROFILES["properties"].keys() - {"id", "is_deleted", "as_of"})
    ),
}


def definitions() -> Component:
    """Return the components of this vendor."""
    ids = requests.people_ids(
        _CONFIG, event="EVENT", start=_START, end=_END, page_size=_CONFIG.page_size
    )
    people = requester(
        requests.profiles(_CONFIG, ["IDS"]),
        "talemetry_authenticator",
        "talemetry_error_handler",
        _TEMPLATES,
    )
    people["request_body"]["value"]["ids"] = "{{ stream_partition['guid'] }}"
    listed = requester(ids, "talemetry_authenticator", "talemetry_error_handler", _TEMPLATES)
    for each in (listed, people):
        each["request_headers"] = {"Accept": "application/json"}
    return {
        "talemetry_authenticator": _authenticator(),
        "talemetry_error_handler": error_handler(
            responses.VENDOR, _denied(), usable="'result' in response"
        ),
        "talemetry_ids_requester": listed,
        "talemetry_profiles_requester": people,
        "talemetry_ids": _listing("talemetry_ids", _EVENTS, None),
        "profiles": stream(
            "profiles",
            "id",
            "profiles",
            retriever=retriever(
                "talemetry_profiles_requester",
                {"field_path": ["result", "Candidates"]},
                # An answer may hold others.
                record_filter={
                    "type": "RecordFilter",
                    "condition": "{{ "
                    + _GUID
                    + " | lower in stream_partition['guid'] | map('lower') | list }}",
                },
                partition_router={
                    "type": "GroupingPartitionRouter",
                    "group_size": _CONFIG.ids_per_request,
                    "underlying_partition_router": {
                        "type": "SubstreamPartitionRouter",
                        "parent_stream_configs": [
                            {
                                "type": "ParentStreamConfig",
                                "parent_key": "id",
                                "partition_field": "guid",
                                "extra_fields": [["as_of"]],
                                "incremental_dependency": True,
                                "stream": {"$ref": "#/definitions/talemetry_ids"},
                            }
                        ],
                    },
                },
            ),
            incremental_sync=datetime_cursor("as_of", datetime_format=SECONDS),
            transformations=[
                add_fields(**_columns()),
                {"type": "RemoveFields", "field_pointers": [["Candidate"]]},
            ],
        ),
        "deleted_profiles": _listing("deleted_profiles", ["deleted"], "deleted_profiles"),
    }


_CREDENTIAL = "{{ config['talemetry']['credentials']['KEY'] }}"


def _authenticator() -> Component:
    """Return the choice between a ready token and tokens from the Authorization call."""
    token = _CREDENTIAL.replace("KEY", "token")
    ready = api_key(requests.auth("TOKEN").headers(), "TOKEN", token)
    login = requests.authorization("URL", "CLIENT_ID", "CLIENT_SECRET")
    credentials = {
        "URL": _CREDENTIAL.replace("KEY", "authorization_url"),
        "CLIENT_ID": _CREDENTIAL.replace("KEY", "client_id"),
        "CLIENT_SECRET": _CREDENTIAL.replace("KEY", "client_secret"),
    }
    return {
        "type": "SelectiveAuthenticator",
        "authenticator_selection_path": ["talemetry", "credentials", "auth_type"],
        "authenticators": {
            "token": ready,
            "client_credentials": {
                "type": "SessionTokenAuthenticator",
                "login_requester": {
                    "type": "HttpRequester",
                    "url": filled_in(login.url, credentials),
                    "http_method": login.method,
                    "request_body": {
                        "type": "RequestBodyJsonObject",
                        "value": filled_in(login.json, credentials),
                    },
                },
                "session_token_path": ["access_token"],
                # How long a token is good is not documented, and the CDK gets no new one on a 401.
                "expiration_duration": "PT30M",
                "request_authentication": {
                    "type": "ApiKey",
                    "api_token": ready["api_token"].replace(token, "{{ session_token }}"),
                    "inject_into": ready["inject_into"],
                },
            },
        },
    }


def _denied() -> Component:
    return failure(
        f"{responses.VENDOR.access_denied} Updated and deleted people can be listed only with the "
        "feature track_candidate_last_changes.",
        http_codes=[403],
    )


def _listing(name: str, events: Sequence[str], schema: str | None) -> Component:
    """Return the stream of the GUIDs that are listed under these events."""
    return stream(
        name,
        "id",
        schema,
        retriever=retriever(
            "talemetry_ids_requester",
            {
                "field_path": ["result"],
                # GUIDs are bare texts, and records have to be objects: only an expander with parent
                # fields makes `{"value": text}` of them.
                "record_expander": {
                    "type": "RecordExpander",
                    "expand_records_from_field": ["Ids"],
                    "parent_fields": [
                        {
                            "type": "ParentFieldPath",
                            "parent_path": ["Cursor"],
                            "record_path": ["Cursor"],
                        }
                    ],
                },
            },
            paginator=cursor_pages(
                "response['result']['Cursor']",
                {"inject_into": "body_json", "field_path": ["Cursor"]},
            ),
            partition_router={
                "type": "ListPartitionRouter",
                "cursor_field": "event",
                "values": list(events),
            },
        ),
        incremental_sync=datetime_cursor(
            "as_of",
            datetime_format=SECONDS,
            step="P{{ config['talemetry'].get('window_days', " + str(_CONFIG.window_days) + ") }}D",
            cursor_granularity="PT1S",
            end_datetime={
                "type": "MinMaxDatetime",
                "datetime": _END_OF_THE_LAST_WINDOW,
                "datetime_format": SECONDS,
            },
        ),
        transformations=[
            add_fields(
                id=exact("record['value']"),
                is_deleted="{{ stream_partition['event'] == 'deleted' }}",
                as_of="{{ stream_interval['end_time'] }}",
            ),
            {"type": "RemoveFields", "field_pointers": [["value"], ["Cursor"]]},
        ],
    )


def _columns() -> dict[str, str]:
    """Return the columns of a person. `source_ats.vendors.talemetry.record` says what each is.

    Keys of XML namespaces are seen only beside what is taken here. To remove them at any depth
    would take twice the time of all else.
    """
    assert set(get_args(IncludeOption)) == set(_CONFIG.include)  # noqa: S101 - all blocks are asked for
    copied = {
        column: exact(f"{each} if {each} is string else none")
        for (column,), (_, *path) in COPIES
        if column != "email" and (each := _at(*_CONTACT, *path))
    }
    return {
        "id": exact(_GUID),
        **copied,
        "email": _EMAIL,
        "contact": exact(f"{_at(*_CONTACT)} if {_at(*_CONTACT)} is mapping else none"),
        "employment_history": _entries(
            (*_RESUME, "EmploymentHistory"), "EmployerOrg", "PositionHistory"
        ),
        "education_history": _entries(
            (*_RESUME, "EducationHistory"), "SchoolOrInstitution", "Degree"
        ),
        "applications": _entries(("UserArea", "RelatedPositionPostings"), "RelatedPositionPosting"),
        "notes": _entries(("UserArea", "Notes"), "Note"),
        "tags": _entries(("UserArea", "Tags"), "Tag", kind="string"),
        "custom_data": _CUSTOM_DATA,
        "audience_types": _entries(("UserArea", "AudienceType"), "AudienceType", kind="string"),
        "lifecycle_state": exact(f"{_at('UserArea', 'Lifecycle', 'State')} or none"),
        "do_not_contact": _DO_NOT_CONTACT,
        "referrals": exact(f"{_at('UserArea', 'Referrals')} or none"),
        "is_deleted": "{{ false }}",
        "as_of": (
            "{%- set ids = stream_partition['guid'] | map('lower') | list -%}\n"
            "{{ stream_slice.extra_fields['as_of'][ids.index(" + _GUID + " | lower)] }}"
        ),
    }


def _entries(block: tuple[str, ...], element: str, part: str = "", *, kind: str = "mapping") -> str:
    """Return the template for a list: one entry comes as itself, several as a list, none as null.

    `part` is a field of the entries to which the same applies.
    """
    entry = "each"
    if part:
        inner = f"each['{part}']"
        entry = (
            f"dict(each, {part}=[] if {inner} is undefined or {inner} is none else "
            f"{inner} if {inner} is not mapping and {inner} is not string else [{inner}])"
        )
    return "\n".join(
        (
            "{%- set found = namespace(all=[]) -%}",
            f"{{%- set block = {_at(*block)} or [] -%}}",
            "{%- for around in ([block] if block is mapping else block) -%}",
            f"{{%- set inner = around['{element}'] or [] -%}}",
            "{%- for each in ([inner] if inner is mapping or inner is string else inner) -%}",
            f"{{%- if each is {kind} -%}}{{%- set found.all = found.all + [{entry}] -%}}",
            "{%- endif -%}{%- endfor -%}{%- endfor -%}",
            exact("found.all"),
        )
    )


_EMAIL = "\n".join(
    (
        "{%- set found = namespace(all=[]) -%}",
        f"{{%- set methods = {_at(*_CONTACT, 'ContactMethod')} or [] -%}}",
        "{%- for method in ([methods] if methods is mapping else methods) -%}",
        "{%- set inner = method['InternetEmailAddress'] or [] -%}",
        "{%- for each in ([inner] if inner is string else inner) -%}",
        "{%- if each is string -%}{%- set found.all = found.all + [each] -%}{%- endif -%}",
        "{%- endfor -%}{%- endfor -%}",
        exact("(found.all | first) or none"),
    )
)
_DO_NOT_CONTACT = "\n".join(
    (
        "{%- set found = namespace(all={}) -%}",
        f"{{%- for name, block in ({_at('UserArea')} or {{}}).items() -%}}",
        "{%- if name.lower().startswith('donot') -%}",
        "{%- set found.all = dict(found.all, **{name: block}) -%}",
        "{%- endif -%}{%- endfor -%}",
        exact("found.all or none"),
    )
)
_CUSTOM_DATA = "\n".join(
    (
        "{%- set found = namespace(all=[]) -%}",
        f"{{%- for name, field in ({_at('UserArea')} or {{}}).items() -%}}",
        # The CDK takes what is set within an `if` for undeclared.
        "{%- set value = field['Value'] if field is mapping else none -%}",
        "{%- set many = value['Value'] if value is mapping else value -%}",
        "{%- set at = field['UpdatedAt'] if field is mapping else none -%}",
        "{%- if field is mapping and 'Value' in field and not name.lower().startswith('donot') -%}",
        "{%- set found.all = found.all + [{",
        "'name': name,",
        "'value': value if value is string else none,",
        "'values': none if value is string or value is none else",
        "[many] if many is string else many or [],",
        "'updated_at': at.replace(' UTC', 'Z').replace(' ', 'T') if at is string else none",
        "}] -%}",
        "{%- endif -%}{%- endfor -%}",
        exact("found.all"),
    )
)
