"""The destination's configuration: what users type. Airbyte's spec is made from these models."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from source_ats.errors import ConfigError
from source_ats.protocol import spec as forms
from source_ats.protocol.spec import Moment, Secret, Section
from source_ats.vendors.comeet.config import ApiKey, AppSecret, ComeetUrl
from source_ats.vendors.kombo.requests import FILE_HOSTS

DOCUMENTATION_URL = "https://docs.airbyte.com/integrations/destinations/comeet"

_Text = Annotated[str, Field(min_length=1)]


class Position(Section):
    """One job of the source system, and where its applicants go."""

    job_id: _Text = Field(
        title="Job ID",
        description=(
            "The job as the source system names it: Kombo's id or the remote id of the job, "
            "Talemetry's requisition Id."
        ),
        examples=["6hGdJ4nKqC8yTw5MvZrXe9Ub", "REQ-101"],
    )
    position_uid: _Text = Field(
        title="Position UID",
        description="UID of the Comeet position for this job.",
        examples=["4A.1C2"],
    )


class ComeetMapping(Section):
    """The records already use Comeet's names."""

    model_config = ConfigDict(title="Comeet's own names")

    mapping_type: Literal["comeet"]


class KomboMapping(Section):
    """The stream candidates of source-ats."""

    model_config = ConfigDict(title="Candidates from Kombo")

    mapping_type: Literal["kombo_candidates"]


class TalemetryMapping(Section):
    """The stream profiles of source-ats."""

    model_config = ConfigDict(title="Profiles from Talemetry")

    mapping_type: Literal["talemetry_profiles"]


class AtzMapping(Section):
    """The stream atz_candidates of source-ats."""

    model_config = ConfigDict(title="Candidates from ATZ CRM")

    mapping_type: Literal["atz_candidates"]


class CustomField(Section):
    """One field of Comeet, and how it is made."""

    comeet_field: _Text = Field(
        title="Comeet field",
        description=(
            "Name of a field of Comeet's Create a Candidate, such as first_name, "
            "address.city or custom_fields.pool. partner_candidate_id sets the record's key, "
            "position_uid its position, job_id a job that Positions translates."
        ),
        examples=["first_name", "address.city"],
    )
    expression: _Text = Field(
        title="JMESPath expression",
        description=(
            "What to take out of the record, see https://jmespath.org. A field whose expression "
            "gives null is left out."
        ),
        examples=["name.given", "emails[0].address", "to_string(zip)"],
    )


class CustomMapping(Section):
    """Each field is taken out of the record by an expression."""

    model_config = ConfigDict(title="Custom")

    mapping_type: Literal["custom"]
    fields: Annotated[list[CustomField], Field(min_length=1)] = Field(
        title="Fields",
        description="The fields of Comeet that are filled in; first_name and last_name must be.",
    )


class StreamSettings(Section):
    """How the records of one stream are written."""

    stream: _Text = Field(
        title="Stream",
        description=(
            "Name of the incoming stream, with the prefix that the connection puts before it. "
            "Records of streams that are not listed here are ignored."
        ),
        examples=["candidates"],
    )
    mapping: Annotated[
        ComeetMapping | KomboMapping | TalemetryMapping | AtzMapping | CustomMapping,
        Field(discriminator="mapping_type"),
    ] = Field(
        title="Mapping",
        description="How a record becomes a candidate of Comeet.",
    )
    extra_fields: list[CustomField] | None = Field(
        None,
        title="Extra fields",
        description=(
            "Fields of Comeet that are made by an expression. They win over the mapping. Put a "
            "constant in single quotes: 'Sourced'."
        ),
    )
    skip_when: _Text | None = Field(
        None,
        title="Skip when",
        description=(
            "JMESPath expression. A record for which it is true is skipped: neither written nor "
            "rejected."
        ),
        examples=["source == 'Comeet'", "tags[?name == 'Do not move']"],
    )
    position_uid: _Text | None = Field(
        None,
        title="Position UID",
        description=(
            "Comeet position of records that have no application and name no position. Shown by "
            "Comeet's API, GET /positions; shaped like 4A.1C2."
        ),
        examples=["4A.1C2"],
        json_schema_extra=forms.ALWAYS_SHOW,
    )
    positions: list[Position] | None = Field(
        None,
        title="Positions",
        description="Comeet position of each job. Applications to other jobs are skipped.",
        json_schema_extra=forms.ALWAYS_SHOW,
    )
    partner_id_prefix: str | None = Field(
        None,
        title="Prefix of partner IDs",
        description=(
            "Precedes the record's key in partner_candidate_id. Empty: the stream's name and a "
            "colon; for no prefix, set verbatim_partner_id. Do not change it after the first write."
        ),
    )

    verbatim_partner_id: bool = Field(
        default=False,
        title="Partner IDs without a prefix",
        description=(
            "The record's key becomes partner_candidate_id as it is. For one stream at most, with "
            "a key of one column. A key with @, with letters outside ASCII or of more than 64 "
            "characters is rejected. Do not change it after the first write."
        ),
    )

    @property
    def prefix(self) -> str:
        """Return what precedes the record's key. Only a verbatim key has none."""
        if self.verbatim_partner_id:
            return ""
        return self.partner_id_prefix or f"{self.stream}:"


NewUntil = Annotated[
    Moment | None,
    Field(
        title="New ledger until",
        description=(
            "For the first sync of an integration that may not retrieve candidates: until then "
            "the connection check makes a new ledger although Comeet does not show who exists, so "
            "candidates who are there already are not recognised. Leave it empty otherwise."
        ),
        examples=["2026-01-31T12:00:00Z"],
    ),
]


def _checked_postgres_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"postgresql", "postgres"} and parts.port != 0
    except ValueError:
        # The library's text shows the value.
        is_usable = False
    if not is_usable:
        raise ValueError("must be shaped like postgresql://user:password@host:5432/database")
    return url


class PostgresLedger(Section):
    """A PostgreSQL database: the right choice on Airbyte, whose containers keep no files."""

    model_config = ConfigDict(title="PostgreSQL database")

    ledger_type: Literal["postgres"]
    url: Annotated[Secret, AfterValidator(_checked_postgres_url)] = Field(
        title="URL",
        description=(
            "postgresql://user:password@host:5432/database. Add ?sslmode=require for an encrypted "
            "connection. A pooler in transaction mode cannot be used."
        ),
    )
    new_until: NewUntil = None


class SqliteLedger(Section):
    """A file on a disk that outlives the run."""

    model_config = ConfigDict(title="SQLite file")

    ledger_type: Literal["sqlite"]
    path: _Text = Field(
        title="Path",
        description=(
            "File of the ledger, in a folder that exists and outlives the container, such as a "
            "mounted volume. Mount the folder, not the file alone."
        ),
        examples=["/ledger/comeet.db"],
    )
    new_until: NewUntil = None


LedgerSettings = PostgresLedger | SqliteLedger


_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)


def _checked_host(host: str) -> str:
    name = host.removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not _HOST.fullmatch(name) or ".." in name:
        raise ValueError("must be a host such as files.example.com or *.example.com, without port")
    return name.lower()


class DestinationConfig(Section):
    """The configuration of `destination-comeet`."""

    model_config = ConfigDict(title="Comeet Destination Spec")

    api_key: ApiKey
    secret: AppSecret
    streams: Annotated[list[StreamSettings], Field(min_length=1)] = Field(
        title="Streams",
        description="How the records of each incoming stream are written.",
    )
    ledger: Annotated[LedgerSettings, Field(discriminator="ledger_type")] = Field(
        title="Ledger",
        description=(
            "Where the connector notes what it sent, so that nobody is created twice. Made by "
            "the connection check; keep it for as long as the connection lives."
        ),
    )
    match_existing: Literal["new_ledger", "always", "never"] = Field(
        "new_ledger",
        title="Match existing candidates",
        description=(
            "Whether a new record is compared with the candidates that Comeet has already. "
            "new_ledger: with those who were created before the ledger was made, or before it was "
            "found to be lost or restored. always: with all, also those who come from elsewhere. "
            "never: with none."
        ),
    )
    on_bad_field: Literal["drop", "reject"] = Field(
        "drop",
        title="Optional field with a problem",
        description=(
            "What is done with an optional field that Comeet would refuse. drop: it is left out, "
            "and the log names it. reject: its record is rejected."
        ),
    )
    keep_rejected: bool = Field(
        default=False,
        title="Keep rejected records",
        description=(
            "Rejected records are kept whole in a table of the ledger's database, "
            "ats_rejected_records, until they are written, so that destination-comeet replay can "
            "write them once the reason is gone. The table holds personal data."
        ),
        json_schema_extra=forms.ALWAYS_SHOW,
    )
    keep_rejected_days: int = Field(
        30,
        ge=1,
        le=3650,
        title="Days to keep rejected records",
        description="Days after which rejected records are removed from the ledger's database.",
    )
    rejected_path: _Text | None = Field(
        None,
        title="File of rejected records",
        description=(
            "Rejected records are added to this file, whole, one JSON line each with the reason. "
            "It holds personal data. Leave empty for no file; the log names the reasons."
        ),
        examples=["/ledger/rejected.jsonl"],
    )
    max_rejected: int | None = Field(
        None,
        ge=0,
        title="Most rejected records",
        description=(
            "The sync fails when the number of rejected records, counted since the last complete "
            "sync, exceeds this number. Empty: no limit."
        ),
    )
    file_hosts: list[Annotated[str, AfterValidator(_checked_host)]] = Field(
        [FILE_HOSTS],
        title="Hosts of files",
        description=(
            "Hosts from which CVs and other files are fetched when they are sent, without "
            "credentials and without a port; *. matches any subdomain. Files elsewhere are left "
            "out."
        ),
        examples=[FILE_HOSTS, "files.example.com"],
    )
    requests_per_minute: int = Field(
        60,
        ge=1,
        le=1_000_000,
        title="Requests per minute",
        description="Comeet publishes no limit; the requests are evenly paced.",
    )
    base_url: ComeetUrl = None


GROUPS = (
    forms.Group("comeet", "Comeet", ["api_key", "secret", "base_url", "requests_per_minute"]),
    forms.Group("streams", "Streams", ["streams", "file_hosts"]),
    forms.Group("ledger", "Ledger", ["ledger", "match_existing"]),
    forms.Group(
        "rejected",
        "Rejected records",
        ["on_bad_field", "keep_rejected", "keep_rejected_days", "rejected_path", "max_rejected"],
    ),
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A configuration that holds, and what the user should know of it."""

    config: DestinationConfig
    warnings: list[str]


def spec() -> dict[str, Any]:
    """Return what `spec` answers: the form that Airbyte shows."""
    return {
        "documentationUrl": DOCUMENTATION_URL,
        "supportsIncremental": True,
        "supported_destination_sync_modes": ["append", "append_dedup"],
        "connectionSpecification": forms.connection_specification(DestinationConfig, GROUPS),
    }


def parse(raw: Mapping[str, Any]) -> Parsed:
    """Return the configuration. Raises `ConfigError` that names each wrong field, no value.

    A `null` means that the field is not set, as Airbyte's form sends it.
    """
    given = forms.without_nulls(raw)
    config, warnings = forms.validated(DestinationConfig, given)
    _check_streams(config.streams)
    return Parsed(config, warnings)


def _check_streams(streams: list[StreamSettings]) -> None:
    """Raise `ConfigError` where two streams, or two jobs, cannot be told apart."""
    for number, each in enumerate(streams):
        where = f"streams[{number}]"
        before = streams[:number]
        if any(other.stream == each.stream for other in before):
            message = f"{where}.stream: {each.stream} is listed twice. Remove one of the two."
            raise ConfigError(message)
        if each.verbatim_partner_id and each.partner_id_prefix:
            message = (
                f"{where}: verbatim_partner_id and partner_id_prefix exclude each other. Remove "
                "one of the two."
            )
            raise ConfigError(message)
        if each.verbatim_partner_id and any(other.verbatim_partner_id for other in before):
            message = (
                f"{where}.verbatim_partner_id: another stream has it too, so the people of the two "
                "could not be told apart. Set it for one stream at most."
            )
            raise ConfigError(message)
        if any(other.prefix == each.prefix for other in before):
            message = (
                f"{where}.partner_id_prefix: another stream has the same prefix, so the people of "
                "the two could not be told apart. Give each stream a prefix of its own."
            )
            raise ConfigError(message)
        if "@" in each.prefix:
            message = f"{where}.partner_id_prefix: must not contain @. Choose a neutral word."
            raise ConfigError(message)
        jobs = [position.job_id for position in each.positions or []]
        if len(jobs) != len(set(jobs)):
            message = f"{where}.positions: a job is listed twice. Keep one position for each job."
            raise ConfigError(message)
