"""Write the manifest."""

from __future__ import annotations

from tools.manifest import document

if __name__ == "__main__":
    document.FILE.write_text(document.written(), "utf-8")
