"""The long trial of tests/vendor_mgmt/test_taking_over.py: each way in which the process that runs the database can end, five times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_guest_runs_the_database_on_however_its_owner_ended_five_times_each() -> None:
    times = os.environ.get("SOAK_TIMES", "5")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/vendor_mgmt/test_taking_over.py"],
        cwd=ROOT,
        env={**os.environ, "VENDOR_MGMT_TEST_TIMES": times},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    print(f"{times} times each: {done.stdout.splitlines()[-1]}")  # noqa: T201 - the record of the trial
