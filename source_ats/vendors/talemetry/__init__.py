"""Talemetry, the Source&CRM part of Jobvite: the stream `profiles`.

One call lists GUIDs by event and window of time, another answers people by GUID. Hence more files
than in the other packages: `details.py` requests people in batches and finds the one bad GUID in a
batch, `seen.py` remembers on disk who was listed, `record.py` turns HR-XML as JSON into a record,
and `token.py` exchanges client credentials for tokens.
"""
