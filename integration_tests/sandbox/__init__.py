"""The four vendors, played by one process over HTTP on a loopback port. No account is needed.

`python -m integration_tests.sandbox` starts it; tests and the demo use `running.Sandbox`.

Start reading at `server.py`: it puts the vendors (`kombo.py`, `talemetry.py`, `atz_crm.py`,
`comeet.py`), the faults and the control door together.
"""
