"""A fake Talemetry.

`routes.py` answers, `data.py` says which people there are and what happened to them, `settings.py`
says what a test can change. One file more than for other vendors: `records.py` builds a profile,
which is deeply nested.
"""
