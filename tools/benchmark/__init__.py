"""How fast the connectors are beside what a user would take instead; started by `scripts/bench`."""
