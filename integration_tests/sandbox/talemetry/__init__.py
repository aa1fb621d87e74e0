"""A fake Talemetry: `routes.py` answers, `data.py` knows the people, `records.py` builds one."""
