"""Makes `manifests/source-ats-lite.yaml`, the edition of three streams for Airbyte Cloud.

`scripts/docs` does it; a test says when the file is out of date. Requests, schemas and the form are
those of the vendor packages, so that a fact of a vendor has one place. Here is only how Airbyte's
declarative components put them together. `document.py` makes the whole, and each vendor has a
module. What is said of the components holds for `airbyte_cdk` 7.39.1.
"""
