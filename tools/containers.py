"""The containers of the molecule scenarios. Standard library only: prepare runs it with whatever Python is at hand."""

from __future__ import annotations

import subprocess
import sys


def container_address(name: str) -> str:
    """The container's address on the bridge. Raises CalledProcessError if there is none of that name."""
    command = ["podman", "inspect", name, "--format", "{{.NetworkSettings.IPAddress}}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    print(container_address(sys.argv[1]))
