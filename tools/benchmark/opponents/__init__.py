"""What a user would take instead, each reading the same streams from the same server.

They run in an environment of their own (`requirements.in`), as `python -m`, with the server's
address and the stream as arguments, and print to standard output, but for dlt, which writes files.
None of them is held back: each is what its own documentation shows first and, at a distance, what
it recommends for more requests at a time.
"""

INTEGRATION = "greenhouse:bench"
POSITION = "4A.1C2"
IDS_PER_REQUEST = 25
INCLUDE = (
    "contact",
    "education",
    "experience",
    "ats_application_histories",
    "donotcontact_info",
    "tags",
    "notes",
    "custom_data",
)
