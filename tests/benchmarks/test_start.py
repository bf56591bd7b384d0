"""How long it takes from an empty folder to serving: database made, started, migrated, pages answering.

    python tests/benchmarks/test_start.py          or: pytest tests/benchmarks/test_start.py -s
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path


def one() -> dict[str, float]:
    """Seconds until the first answer of `serve` on an empty folder, then on the folder it left."""
    with tempfile.TemporaryDirectory(prefix="vendor-mgmt-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        return {"cold_s": start(folder / "data"), "warm_s": start(folder / "data")}


def start(data: Path) -> float:
    """Starts the service, waits until it answers, stops it."""
    environment = os.environ | {"VENDOR_MGMT_DATA_DIR": str(data), "VENDOR_MGMT_LOG_FORMAT": "json"}
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "vendor_mgmt", "serve", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while time.perf_counter() - began < 60:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                    if answer.status == 200:
                        return round(time.perf_counter() - began, 2)
            except OSError:
                time.sleep(0.02)
        raise TimeoutError("the service did not answer within a minute")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def main() -> dict[str, float]:
    runs = [one() for _ in range(3)]
    return {name: sorted(run[name] for run in runs)[1] for name in runs[0]}


def test_an_empty_folder_serves_within_five_seconds() -> None:
    result = main()
    print(json.dumps(result))
    assert result["cold_s"] < 5


if __name__ == "__main__":
    print(json.dumps(main()))
