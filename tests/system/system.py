"""The system as it is installed: its tree, its cron scripts, its crontab and its timers, on real users, locks and files.

Each test installs into a directory of its own. As root that is done for a user who is made for the test and removed at its
end; as anybody else for whoever runs it, and what needs two users is counted as skipped. Cron itself does not run here: the
scripts are called as it would call them, with an environment of almost nothing.

    python3 -B tests/system/system.py EXTENSION.so [TEST...]

The last line is `N passed, N failed, N skipped`.
"""

import sys
import traceback
from pathlib import Path

import installed
import locked
import refused
import rights
import runs
import table
from place import Place, Skipped, User

PARTS = [installed, runs, locked, refused, rights, table]


def main():
    """Runs them one after the other."""
    extension = Path(sys.argv[1]).resolve()
    user = User()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for test in [test for part in PARTS for test in part.TESTS]:
        if sys.argv[2:] and test.__name__ not in sys.argv[2:]:
            continue
        place = Place(user, extension)
        try:
            test(place)
            counts["passed"] += 1
        except Skipped as why:
            print(f"    skipped: {test.__name__}: {why}")
            counts["skipped"] += 1
        except Exception:  # pylint: disable=broad-except
            print(f"{test.__name__}: FAILED\n{traceback.format_exc()}", flush=True)
            counts["failed"] += 1
        finally:
            place.remove()
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
