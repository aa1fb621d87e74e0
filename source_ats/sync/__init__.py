"""Reading streams: pages, state, and the Airbyte messages that are printed."""
