"""The pictures in `docs/images/`: `scripts/pictures` makes them again.

`report.py` runs the demo and photographs its report in Chromium. `form.py` draws the spec of the
source as Airbyte's form shows it, and photographs that. `__main__.py` makes both.
"""
