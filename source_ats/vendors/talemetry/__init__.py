"""Talemetry, the Source&CRM part of Jobvite: the stream `profiles`.

One endpoint lists GUIDs by event and window of time, another one returns people by GUID, and the
vendor shows no time of change. Hence more files than in the other packages, in reading order:

- `streams.py`: begin here. The stream, its pages, and its partitions for Spark.
- `windows.py`: how time is cut into windows.
- `listing.py`: who is listed in a window, page by page.
- `seen.py`: which ids were listed, on disk.
- `fetcher.py`: fetches people in batches and finds the person who breaks a batch.
- `chosen.py`: the people of `talemetry.candidate_ids`, without any listing.
- `record.py`: turns HR-XML converted to JSON into a record.
- `state.py`: the state of the stream.
- `token.py`: exchanges client credentials for tokens.
"""
