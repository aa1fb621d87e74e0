"""A fake ATZ CRM.

`routes.py` answers, `data.py` holds candidates, histories and deals, `settings.py` says what a test
can change.
"""
