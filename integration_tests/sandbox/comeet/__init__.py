"""A fake Comeet.

`routes.py` answers, `data.py` holds positions and candidates, `settings.py` says what a test can
change.
"""
