"""One error for several integrations."""

from __future__ import annotations

from collections.abc import Mapping

from source_ats.errors import (
    AtsError,
    ConfigError,
    ContractError,
    NoSuchRows,
    PartitionUnavailable,
    TransientError,
)
from source_ats.vendors.kombo.models import CANDIDATES, Model


def raise_nothing_read(model: Model, unavailable: Mapping[str, AtsError]) -> None:
    """Raise the error that ends the stream, unless the integrations merely have no such rows."""
    reasons = {
        integration_id: error
        for integration_id, error in unavailable.items()
        if model is CANDIDATES or not isinstance(error, NoSuchRows)
    }
    if reasons:
        raise combined_error(reasons)


def describe_errors(errors: Mapping[str, AtsError]) -> str:
    """Return what went wrong, by integration."""
    integrations: dict[str, list[str]] = {}
    for integration_id, error in errors.items():
        integrations.setdefault(error.message, []).append(integration_id)
    return " ".join(
        f"{'Integration' if len(ids) == 1 else 'Integrations'} {', '.join(ids)}: {message}"
        for message, ids in integrations.items()
    )


def combined_error(errors: Mapping[str, AtsError]) -> AtsError:
    """Return one error for all of these integrations.

    If the user has to act on one of them, it is a `ConfigError`; it is a `TransientError` only if
    all pass by themselves.
    """
    kinds = set(map(_kind_of, errors.values()))
    kind = next(each for each in (ConfigError, ContractError, TransientError) if each in kinds)
    details = dict.fromkeys(error.detail for error in errors.values() if error.detail)
    return kind(describe_errors(errors), detail="; ".join(details))


def _kind_of(error: AtsError) -> type[AtsError]:
    if isinstance(error, PartitionUnavailable):
        return TransientError if error.passes else ConfigError
    kinds = (ConfigError, TransientError)
    return next((each for each in kinds if isinstance(error, each)), ContractError)
