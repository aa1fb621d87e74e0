"""Programs for people: demo, benchmark, chaos, endurance."""
