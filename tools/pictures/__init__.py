"""The pictures in `docs/images/`: `scripts/pictures` makes them again.

`demo.py` runs the demo and draws what it prints. `form.py` draws the spec of the source as
Airbyte's form shows it, and photographs the page in Chromium. `__main__.py` makes both.
"""
