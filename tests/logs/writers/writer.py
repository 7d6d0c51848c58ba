"""Writes numbered lines as Python programs write logs: `writer.py HOW PATH NAME COUNT`."""

import logging
import logging.handlers
import os
import sys
import time

how, path, name, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
if how == "halves":
    # A line in two writes, as whoever does not buffer has it.
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for n in range(count):
        os.write(log, b"%s %07d lorem" % (name.encode(), n))
        time.sleep(0.0001)
        os.write(log, b" ipsum dolor sit amet\n")
        time.sleep(0.0001)
    raise SystemExit
if how == "file":
    handler = logging.FileHandler(path)
elif how == "rotating":
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=20_000, backupCount=3)
else:
    raise SystemExit(f"no such writer: {how}")
handler.setFormatter(logging.Formatter("%(message)s"))
logger = logging.getLogger(name)
logger.addHandler(handler)
logger.propagate = False
for n in range(count):
    logger.warning("%s %07d lorem ipsum dolor sit amet", name, n)
    if n % 20 == 19:
        time.sleep(0.01)
