"""Makes all pictures."""

from __future__ import annotations

from integration_tests.sandbox.running import PROJECT
from tools.pictures import demo, form

IMAGES = PROJECT / "docs" / "images"

if __name__ == "__main__":
    demo.draw(IMAGES / "demo.svg")
    form.photograph(IMAGES / "form.png")
