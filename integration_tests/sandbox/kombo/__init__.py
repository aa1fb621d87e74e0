"""A fake Kombo: `routes.py` answers, `data.py` knows the rows, `records.py` builds one row."""
