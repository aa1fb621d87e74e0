"""One process that answers as the four vendors do, over HTTP on a loopback port. No account needed.

`scripts/sandbox` starts it for a person; tests and the demo use `running.Sandbox`.

Start at `server.py`: it puts the vendors, the faults and the control API together. Each vendor is
a package: `routes.py` has the HTTP endpoints and errors, `data.py` the rows, `settings.py` what a
test can change.
"""
