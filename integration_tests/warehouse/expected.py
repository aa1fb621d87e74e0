"""What the marts have to say, worked out from what is true in the sandbox, without SQL."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from integration_tests.support.every_stream import GONE, Held

Row = dict[str, Any]
Stage = tuple[str | None, int | None]
"""The name of a stage, None for no stage, and its position in the hiring process."""

OUTCOMES = {"HIRED": "hired", "DECLINED": "rejected"}
BY_NAME = {"Hired": "hired", "Rejected": "rejected", "Not Selected": "rejected"}
OF_COMEET = {"Hired": "hired", "Rejected": "rejected", "Withdrawn": "withdrawn"}


@dataclass(frozen=True, slots=True)
class Change:
    """A stage that an application came into."""

    stage: str | None
    index: int | None
    entered_on: date
    is_first_seen: bool = False


@dataclass
class Application:
    """An application, in the words of `fct_application`."""

    system: str
    candidate: str
    job: str | None
    source: str | None
    stage: str | None
    outcome: str
    applied_on: date | None
    closed_on: date | None
    changes: list[Change] = field(default_factory=list)
    stages: set[Stage] = field(default_factory=set)
    """All that it is known to have been in."""

    @property
    def row(self) -> Row:
        """The columns that are compared."""
        return {
            "candidate_key": f"{self.system}:{self.candidate}",
            "job_key": self.job and f"{self.system}:{self.job}",
            "source": self.source,
            "stage": self.stage,
            "outcome": self.outcome,
            "applied_on": self.applied_on,
            "closed_on": self.closed_on,
        }

    @property
    def days_to_hire(self) -> int | None:
        """Days from the application to the hire."""
        if self.outcome != "hired" or not self.applied_on or not self.closed_on:
            return None
        return (self.closed_on - self.applied_on).days


def moment(text: str) -> datetime:
    """Return the time that a vendor wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)


def day(text: str | None) -> date | None:
    """Return the day in UTC of a time, or a day."""
    if text is None:
        return None
    return date.fromisoformat(text) if len(text) == len("2026-01-01") else moment(text).date()


@dataclass(frozen=True)
class Truth:
    """What was true at each of the two reads, by stream, and the records of both."""

    reads: Sequence[Mapping[str, Held]]
    records: Mapping[str, Sequence[Row]]

    def ever(self, stream: str) -> Held:
        """What a warehouse holds of a stream that does not show deletions."""
        return {key: row for read in self.reads for key, row in read[stream].items()}

    def present(self, stream: str) -> Held:
        """The rows that are not deleted now."""
        return {
            key: row
            for key, row in self.reads[-1][stream].items()
            if row != GONE and not row.get("remote_deleted_at")
        }

    def comeet(self) -> dict[str, Row]:
        """The rows of Comeet that are not deleted: the last record of each."""
        rows = {row["uid"]: row for row in self.records["comeet_candidates"]}
        return {uid: row for uid, row in rows.items() if uid in self.present("comeet_candidates")}

    def candidates(self) -> set[str]:
        """The keys of all people who are not deleted."""
        comeet = {row["person_uid"] or row["uid"] for row in self.comeet().values()}
        return {
            f"{system}:{key}"
            for system, keys in {
                "kombo": self.present("candidates"),
                "talemetry": self.present("profiles"),
                "atz_crm": self.ever("atz_candidates"),
                "comeet": comeet,
            }.items()
            for key in keys
        }

    def applications(self) -> dict[str, Application]:
        """All applications of these people, by their keys."""
        return {
            f"{found.system}:{key}": found
            for applications in (self._kombo(), self._talemetry(), self._atz_crm(), self._comeet())
            for key, found in applications.items()
        }

    def _kombo(self) -> dict[str, Application]:
        people = self.present("candidates")
        found = {}
        for key, row in self.present("kombo_applications").items():
            if row["candidate_id"] not in people:
                continue
            versions = [
                version
                for read in self.reads
                if (version := read["kombo_applications"].get(key))
                and not version["remote_deleted_at"]
            ]
            # The snapshot keeps the first row of each stage and outcome.
            kept = [
                version
                for before, version in zip([None, *versions], versions, strict=False)
                if before is None or _state(before) != _state(version)
            ]
            hired = [_seen_on(each) for each in kept if each["outcome"] == "HIRED"]
            closed_on = {
                "HIRED": min(hired, default=None),
                "DECLINED": day(row["rejected_at"]),
            }
            stage = row["current_stage"] or {"name": None, "index": None}
            person = people[row["candidate_id"]]
            changes = [
                Change(*_stage(each), _seen_on(each), is_first_seen=before is None)
                for before, each in zip([None, *kept], kept, strict=False)
                if before is None or _state(before)[0] != _state(each)[0]
            ]
            found[key] = Application(
                system="kombo",
                candidate=row["candidate_id"],
                job=row["job_id"],
                source=person.get("source") or (row["candidate"] or {}).get("source"),
                stage=stage["name"],
                outcome=OUTCOMES.get(row["outcome"], "open"),
                applied_on=day(row["remote_created_at"]),
                closed_on=closed_on.get(row["outcome"]),
                changes=changes,
                stages={_stage(each) for each in kept} | {_stage(row)},
            )
        return found

    def _talemetry(self) -> dict[str, Application]:
        found = {}
        for person, row in self.present("profiles").items():
            counted: dict[str, int] = defaultdict(int)
            entries = sorted(row["applications"], key=lambda each: str(each["application_date"]))
            for each in entries:
                counted[each["Id"]] += 1
                status = each["DispositionStatusName"]
                found[f"{person}:{each['Id']}:{counted[each['Id']]}"] = Application(
                    system="talemetry",
                    candidate=person,
                    job=each["Id"],
                    source=each["app_source_name"],
                    stage=status,
                    outcome=BY_NAME.get(status, "open"),
                    applied_on=day(each["application_date"]),
                    closed_on=day(each["DispositionDate"]) if status in BY_NAME else None,
                    stages={(status, None)},
                )
        return found

    def _atz_crm(self) -> dict[str, Application]:
        people = self.ever("atz_candidates")
        rows_of: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for slug, rows in self.ever("candidate_history").items():
            for row in rows:
                rows_of[slug, row["job_slug"]].append(row)
        found = {}
        for (slug, job), rows in rows_of.items():
            in_order = sorted(rows, key=lambda row: (row["stage_date"], moment(row["updated_at"])))
            changes = [
                Change(row["talent_stage"]["name"], None, date.fromisoformat(row["stage_date"]))
                for row in in_order
            ]
            last = changes[-1]
            outcome = BY_NAME.get(last.stage or "", "open")
            found[f"{slug}:{job}"] = Application(
                system="atz_crm",
                candidate=slug,
                job=job,
                source=people[slug]["source"] or None,
                stage=last.stage,
                outcome=outcome,
                applied_on=changes[0].entered_on,
                closed_on=None if outcome == "open" else last.entered_on,
                changes=changes,
                stages={(str(each.stage), None) for each in changes},
            )
        return found

    def _comeet(self) -> dict[str, Application]:
        found = {}
        for uid, row in self.comeet().items():
            outcome = OF_COMEET.get(row["status"], "open")
            moved_on = day(row["time_last_status_changed"])
            names = [each["name"] for each in row["current_steps"]]
            done = [each["name"] for each in row["completed_steps"]]
            found[uid] = Application(
                system="comeet",
                candidate=row["person_uid"] or uid,
                job=row["position_uid"],
                source=row["source"]["name"],
                stage=names[0] if names else None,
                outcome=outcome,
                applied_on=day(row["time_created"]),
                closed_on=None if outcome == "open" else moved_on,
                stages={(name, None) for name in [*names, *done]},
            )
        return found

    def erased(self) -> set[tuple[str, str]]:
        """The people who were deleted, by system and ID."""
        now = self.reads[-1]
        kombo = {key for key, row in now["candidates"].items() if row["remote_deleted_at"]}
        talemetry = {key for key, row in now["profiles"].items() if row == GONE}
        return {
            *(("kombo", key) for key in kombo),
            *(("talemetry", key) for key in talemetry),
            *(("comeet", key) for key in now["comeet_deleted_candidates"]),
        }

    def job_stages(self) -> dict[str, set[Stage]]:
        """The stages of each job of Kombo."""
        return {
            f"kombo:{key}": {(stage["name"], stage["index"]) for stage in row["stages"] or ()}
            for key, row in self.present("kombo_jobs").items()
        }


def _state(row: Row) -> tuple[Any, Any]:
    return row["current_stage_id"], row["outcome"]


def _stage(row: Row) -> tuple[Any, Any]:
    stage = row["current_stage"] or {"name": None, "index": None}
    return stage["name"], stage["index"]


def _seen_on(row: Row) -> Any:
    return day(row["remote_updated_at"] or row["changed_at"])


def funnel(
    applications: Iterable[Application], job_stages: Mapping[str, set[Stage]]
) -> dict[tuple[Any, ...], tuple[int, int, int]]:
    """Return how many applications each cohort has, how many came to the stage, and were hired.

    By system, job, source, month and stage.
    """
    stages: dict[Any, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    cohorts: dict[tuple[Any, ...], list[Application]] = defaultdict(list)
    for job, of_job in job_stages.items():
        for name, index in of_job:
            stages[job][str(name)] |= set() if index is None else {index}
    for each in applications:
        if each.applied_on is None:
            continue
        month = each.applied_on.replace(day=1)
        cohorts[each.system, each.row["job_key"], each.source, month].append(each)
        for name, index in each.stages:
            if name is not None:
                stages[each.row["job_key"]][name] |= set() if index is None else {index}
    found = {}
    for cohort, members in cohorts.items():
        positions = {name: min(at) if at else None for name, at in stages[cohort[1]].items()}
        for stage, index in positions.items():
            reached = sum(_came_to(each, stage, index, positions) for each in members)
            hired = sum(each.outcome == "hired" for each in members)
            found[*cohort, stage] = (len(members), reached, hired)
    return found


def _came_to(
    application: Application, stage: str, index: int | None, positions: Mapping[str, int | None]
) -> bool:
    names = {name for name, _ in application.stages if name is not None}
    if index is None:
        return stage in names
    if application.outcome == "hired":
        return True
    return any(at is not None and at >= index for at in map(positions.get, names))


def time_to_hire(applications: Iterable[Application]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return the number of hires, and average, median, least and most days.

    By system, job, source and month of the hire.
    """
    groups: dict[tuple[Any, ...], list[int | None]] = defaultdict(list)
    for each in applications:
        if each.outcome == "hired" and each.closed_on:
            month = each.closed_on.replace(day=1)
            groups[each.system, each.row["job_key"], each.source, month].append(each.days_to_hire)
    return {key: (len(days), *_summary(days)) for key, days in groups.items()}


def _summary(days: Iterable[int | None]) -> tuple[Any, ...]:
    known = [each for each in days if each is not None]
    if not known:
        return (None, None, None, None)
    return (statistics.mean(known), statistics.median(known), min(known), max(known))


def source_effectiveness(
    applications: Iterable[Application],
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return counts of applications, candidates and outcomes, and the median days to a hire.

    By system and source.
    """
    groups: dict[tuple[Any, ...], list[Application]] = defaultdict(list)
    for each in applications:
        groups[each.system, each.source].append(each)
    return {
        key: (
            len(members),
            len({each.candidate for each in members}),
            *(
                sum(each.outcome == outcome for each in members)
                for outcome in ("open", "rejected", "withdrawn", "hired")
            ),
            _summary(each.days_to_hire for each in members)[1],
        )
        for key, members in groups.items()
    }


def time_to_stage(applications: Iterable[Application]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return how many came to each stage, and the average days to it and in it.

    By system, job and stage, from changes whose beginning was seen.
    """
    to_stage: dict[tuple[Any, ...], list[int | None]] = defaultdict(list)
    in_stage: dict[tuple[Any, ...], list[int | None]] = defaultdict(list)
    for each in applications:
        first: dict[str, date] = {}
        spent: dict[str, int] = {}
        for change, following in zip(each.changes, [*each.changes[1:], None], strict=False):
            if change.is_first_seen or change.stage is None:
                continue
            entered = first.get(change.stage, change.entered_on)
            first[change.stage] = min(entered, change.entered_on)
            if following is not None:
                days = (following.entered_on - change.entered_on).days
                spent[change.stage] = spent.get(change.stage, 0) + days
        for stage, entered in first.items():
            key = each.system, each.row["job_key"], stage
            to_stage[key].append((entered - each.applied_on).days if each.applied_on else None)
            in_stage[key].append(spent.get(stage))
    return {
        key: (len(days), _summary(days)[0], _summary(in_stage[key])[0])
        for key, days in to_stage.items()
    }
