"""The containers of the molecule scenarios. Standard library only: prepare runs it with whatever Python is at hand."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def container_name(host: str) -> str:
    """The container of a host of the inventories. All checkouts of a machine share its podman, and none may take another's."""
    return f"{host}-{hashlib.sha256(str(PROJECT).encode()).hexdigest()[:8]}"


def container_address(host: str) -> str:
    """The address on the bridge of the container of a host. Raises CalledProcessError if there is none."""
    command = ["podman", "inspect", container_name(host), "--format", "{{.NetworkSettings.IPAddress}}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    print(container_address(sys.argv[1]))
