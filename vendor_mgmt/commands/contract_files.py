"""Files beside a contract: what its includes may name."""

from __future__ import annotations

from pathlib import Path

from contracts.including import Files
from contracts.nodes import MAX_BYTES


def beside(contract: Path) -> Files:
    """Opens libraries in the contract's own folder and below, and nowhere else: a contract comes from other people."""
    folder = contract.resolve().parent

    def open_file(name: str) -> bytes:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            msg = "it lies outside the contract's folder"
            raise ValueError(msg)
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            msg = f"it is larger than {MAX_BYTES} bytes"
            raise ValueError(msg)
        return path.read_bytes()

    return open_file


__all__ = ["beside"]
