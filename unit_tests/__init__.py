"""Fast tests without a socket: what users depend on, from the contracts inwards."""
