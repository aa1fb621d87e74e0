"""Made-up people. The same seed and number always give the same person; nobody here exists."""

from __future__ import annotations

from dataclasses import dataclass

FIRST = (
    "Mira", "Jonas", "Amélie", "Søren", "Zoë", "Łukasz", "Ines", "Kenji", "Aroha", "Tariq",
    "Nadia", "Björn", "Chloé", "Dmitri", "Yuki", "Olu", "Freya", "Mateo", "Priya", "Ewan",
    "Leïla", "Hanna", "Iker",
)  # fmt: skip
LAST = (
    "Solberg", "Okafor", "Dvořák", "Nakamura", "O'Neill", "Brandt", "Castaño", "Lindqvist",
    "Haddad", "van der Meer", "Petrov", "Santos", "Kowalczyk", "Ferreira", "Ngata", "Fischer",
    "Moreau", "Yılmaz", "Jensen",
)  # fmt: skip
CITIES = (
    ("Bergen", "NO"), ("Łódź", "PL"), ("Porto", "PT"), ("Osaka", "JP"), ("Lyon", "FR"),
    ("Graz", "AT"), ("Cork", "IE"),
)  # fmt: skip
COMPANIES = ("Nordlys Foods", "Bramble & Co", "Quill Works", "Ærø Ferries", "Tallow Labs")
TITLES = ("Data Analyst", "Engineer", "Recruiter", "Nurse", "Sous-chef", "Electrician")


@dataclass(frozen=True, slots=True)
class Person:
    """One made-up person."""

    first: str
    last: str
    email: str
    phone: str
    city: str
    country: str
    company: str
    title: str


def mix(seed: int, *parts: int) -> int:
    """A 64-bit number that looks random and depends on the arguments alone (splitmix64)."""
    value = seed & 0xFFFFFFFFFFFFFFFF
    for part in parts:
        value = (value ^ (part & 0xFFFFFFFFFFFFFFFF)) + 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        value ^= value >> 31
    return value


def person(seed: int, number: int) -> Person:
    """Person `number` of the world with this seed."""
    dice = mix(seed, number)
    city, country = CITIES[(dice >> 16) % len(CITIES)]
    return Person(
        first=FIRST[dice % len(FIRST)],
        last=LAST[(dice >> 8) % len(LAST)],
        email=f"person{number}@example.org",
        phone=f"+00 555 {number:07d}",
        city=city,
        country=country,
        company=COMPANIES[(dice >> 24) % len(COMPANIES)],
        title=TITLES[(dice >> 32) % len(TITLES)],
    )
