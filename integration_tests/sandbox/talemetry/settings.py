"""What the facts of Talemetry leave open, as settings that a test can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints


@dataclass
class Settings:
    """Everything the facts leave open. The defaults are their most likely reading."""

    token_shape: Literal["oauth", "token", "result"] = "oauth"  # noqa: S105
    """`{"access_token": t, ...}`, `{"token": t}`, or `{"result": {"access_token": t}}`."""
    token_lifetime_seconds: int = 3600
    """By the sandbox's clock."""
    ready_token_revoked: bool = False

    ids_methods: Literal["post", "get", "both"] = "post"
    """A GET takes a JSON body, or `DateTimeRange[From]=...&ExcludeSources[]=...&PageSize=...`."""
    ids_shape: Literal["result_ids", "flat", "objects", "no_cursor"] = "result_ids"
    """`{"result": {"Ids": [g], "Cursor": c}}`, `{"ids": [g], "next_cursor": c}`,
    `{"result": {"Candidates": [{"IdValue": g}], "NextCursor": c}}`, `{"result": {"Ids": [g]}}`."""
    end_of_pages: Literal["null_cursor", "empty_page", "repeat"] = "null_cursor"
    """How the end shows: the last page's cursor is null; every page has a cursor and an empty page
    follows the last; or the last GUID is answered again and again with the same cursor."""
    short_pages: bool = False
    """Some pages hold fewer GUIDs than asked for although more follow."""
    max_page_size: int = 1000
    """Also the page size when none is asked for."""
    to_inclusive: bool = False
    """`From` is always inclusive."""
    created_also_updated: bool = False
    """A person created in the window is listed as updated too."""
    every_update_listed: bool = False
    """False: only the last update counts, so a person who is updated again leaves the older window
    (the feature is called `track_candidate_last_changes`)."""
    deleted_still_listed: bool = False
    """Deleted people stay listed as created and updated (their profiles are missing)."""
    deleted_at_start_one_in: int = 0
    """This share of the people of the beginning was deleted before the start. 0: none."""
    track_candidate_last_changes: bool = True
    """False: `updated` and `deleted` are not tracked and not answered."""
    untracked_answer: Literal["empty", "forbidden"] = "empty"
    cursor_expired: Literal["off", "refuse", "empty"] = "off"
    """What a cursor meets whose GUID has left the listing, or that is too old."""
    cursor_max_age_seconds: int = 0
    """By the sandbox's clock; counts only when `cursor_expired` is not off. 0: no limit."""

    max_ids_per_request: int = 100
    """More are answered 413."""
    referrals_with_include: bool = True
    """False: `Referrals` is lost as soon as `include` is sent."""
    do_not_contact_shape: Literal["object", "flag", "value", "info"] = "object"
    """`DoNotContact: {...}`, `DoNotContact: "true"`, `DoNotContact: {"Value", "UpdatedAt"}`, or
    both flags under `donotcontact_info`."""
    stranger_in_profiles: bool = False
    """The answer holds one candidate more, whom nobody asked for."""

    nothing_matches: Literal["list", "null", "missing", "object", "no_result"] = "list"
    """An empty list of ids or candidates: `[]`, null, no key, `{}`, or `{"result": null}`."""
    collapse_single: bool = False
    """A list of one id or one candidate is collapsed like any other XML list."""
    errors_with_200: bool = False
    """Errors keep their body, but their status is 200."""

    def set(self, wishes: dict[str, object]) -> None:
        """Take over the wishes, or raise ValueError and take over none."""
        choices = {name: get_args(kind) for name, kind in get_type_hints(type(self)).items()}
        for name, value in wishes.items():
            if name not in choices:
                message = f"{name} is none of {', '.join(choices)}"
                raise ValueError(message)
            default = getattr(Settings, name)
            if choices[name] and value not in choices[name]:
                message = f"{name} is one of {', '.join(choices[name])}"
                raise ValueError(message)
            if type(value) is not type(default) or (isinstance(value, int) and value < 0):
                message = f"{name} is like {default!r}"
                raise ValueError(message)
        for name, value in wishes.items():
            setattr(self, name, value)
