"""Runs a command and prints, as JSON, what it took: `python launch.py OUT ERR GIVEN COMMAND...`.

A process of its own and tiny, since Linux counts a child's peak memory from that of its parent.
"""

import json
import os
import sys
import time

out, err, given, *command = sys.argv[1:]
write = os.O_WRONLY | os.O_CREAT
files = [
    (os.POSIX_SPAWN_OPEN, 0, given, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, out, write, 0o600),
    (os.POSIX_SPAWN_OPEN, 2, err, write, 0o600),
]
began = time.perf_counter()
child = os.posix_spawn(command[0], command, os.environ, file_actions=files)
_, status, usage = os.wait4(child, 0)
took = {
    "wall": time.perf_counter() - began,
    "cpu": usage.ru_utime + usage.ru_stime,
    "peak_mib": usage.ru_maxrss / 1024,
    "code": os.waitstatus_to_exitcode(status),
}
sys.stdout.write(json.dumps(took))
