"""Makes all pictures."""

from __future__ import annotations

from integration_tests.sandbox.running import PROJECT
from tools.pictures import form, report

IMAGES = PROJECT / "docs" / "images"

if __name__ == "__main__":
    report.photograph(IMAGES / "report.png")
    form.photograph(IMAGES / "form.png")
