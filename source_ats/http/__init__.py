"""HTTP: requests and responses as values, and the client, the only code that does network I/O."""
