"""HTTP: the client and its rate limiter."""
