"""Reading streams: pages, state, and the messages that are printed."""
