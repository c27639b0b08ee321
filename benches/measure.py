"""Runs one program to its end and prints what it took as JSON: a process of its own, started without Python's
extras, because the kernel counts the memory of whoever starts a program into that program's peak.

    python3 -I -S measure.py TIMEOUT FOLDER PROGRAM ARGUMENT...

`rss` is the peak in KiB. Above this process's own size it is what the kernel says; below it is the greatest
value seen while the program ran (Linux only; elsewhere this process's size stands for all that is smaller).
"""

import json
import os
import resource
import signal
import sys
import threading
import time

EVERY = 0.005                                                        # seconds between two looks at the peak
KIB = 1024 if sys.platform == "darwin" else 1                        # macOS counts bytes


def busy_seconds():
    """Processor seconds that the whole machine has spent working, or None where Linux's /proc is missing."""
    try:
        with open("/proc/stat") as f:
            v = [int(x) for x in f.readline().split()[1:9]]
    except OSError:
        return None
    return (sum(v) - v[3] - v[4]) / os.sysconf("SC_CLK_TCK")         # without idle and iowait


def peak_now(pid):
    """The greatest size of a running process so far, in KiB; 0 where it cannot be told."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


def main():
    timeout, folder, *line = sys.argv[1:]
    os.chdir(folder)
    nothing = os.open(os.devnull, os.O_WRONLY)
    before, start = busy_seconds(), time.perf_counter()
    pid = os.posix_spawnp(line[0], line, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nothing, 1)])
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB
    over, seen, timed_out = threading.Event(), [0], []

    def look():
        while not over.wait(EVERY):
            seen[0] = max(seen[0], peak_now(pid))
            if time.perf_counter() - start > float(timeout) and not timed_out:
                timed_out.append(True)
                os.kill(pid, signal.SIGKILL)

    watcher = threading.Thread(target=look)
    watcher.start()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)                # its number stays taken until nobody may kill it
    wall, after = time.perf_counter() - start, busy_seconds()
    over.set()
    watcher.join()
    _, status, used = os.wait4(pid, 0)
    cpu, most = used.ru_utime + used.ru_stime, used.ru_maxrss / KIB
    json.dump({
        "wall": wall,
        "cpu": cpu,
        "rss": most if most > floor or not seen[0] else seen[0],
        "foreign": 0.0 if before is None else max(0.0, after - before - cpu) / wall,
        "code": os.waitstatus_to_exitcode(status),
        "timed_out": bool(timed_out),
    }, sys.stdout)


if __name__ == "__main__":
    main()
