"""A fake Kombo.

`routes.py` answers, `data.py` holds integrations and says which rows there are, `settings.py` says
what a test can change. One file more than for other vendors: `records.py` builds the rows, one
function for each of the many models.
"""
