"""Kombo's models: the kinds of row that it lists."""

from __future__ import annotations

from dataclasses import dataclass

from source_ats.protocol.schemas import Schema
from source_ats.vendors.kombo import schemas


@dataclass(frozen=True, slots=True)
class Model:
    """One kind of row, which is one stream."""

    stream: str
    path: str
    """The path of its list."""
    read_model: str
    """Its name in `read_models`. Assumed: the vendor shows these names in webhooks only."""
    schema: Schema


CANDIDATES = Model("candidates", "candidates", "ats_candidates", schemas.CANDIDATES)
MODELS = (
    CANDIDATES,
    Model("kombo_applications", "applications", "ats_applications", schemas.APPLICATIONS),
    Model(
        "kombo_application_stages",
        "application-stages",
        "ats_application_stages",
        schemas.APPLICATION_STAGES,
    ),
    Model("kombo_jobs", "jobs", "ats_jobs", schemas.JOBS),
    Model("kombo_users", "users", "ats_users", schemas.USERS),
    Model("kombo_tags", "tags", "ats_tags", schemas.TAGS),
    Model("kombo_offers", "offers", "ats_offers", schemas.OFFERS),
    Model("kombo_interviews", "interviews", "ats_interviews", schemas.INTERVIEWS),
    Model("kombo_notes", "notes", "ats_notes", schemas.NOTES),
    Model("kombo_scorecards", "scorecards", "ats_scorecards", schemas.SCORECARDS),
    Model("kombo_attachments", "attachments", "ats_attachments", schemas.ATTACHMENTS),
    Model(
        "kombo_rejection_reasons",
        "rejection-reasons",
        "ats_rejection_reasons",
        schemas.REJECTION_REASONS,
    ),
    Model("kombo_roles", "roles", "ats_roles", schemas.ROLES),
)
