"""Kombo's unified API: the stream `candidates`, and one stream for each other model.

Next to the files that every vendor package has (`config`, `requests`, `responses`, `schemas`,
`streams`, `check`) there are two for what only `candidates` can do:

- `filters.py`: row filters, and which of their ids an integration knows
- `files.py`: the files of each candidate, by a live call
"""
