"""The unit tests and a whole run of the role with each version of ansible-core that the collection promises to work with.

One version after the other, each in an environment of its own below ``.cache/matrix``; a line for each. A version that no Python
here can run is told as skipped.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = PROJECT / ".cache/matrix"

# Each version with the Pythons that it runs on as a controller, of those that the tests run on. The oldest is Debian 12's own.
VERSIONS = {
    "2.14": ("3.11",),
    "2.15": ("3.11",),
    "2.16": ("3.11", "3.12"),
    "2.17": ("3.11", "3.12"),
    "2.18": ("3.11", "3.12", "3.13"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.20": ("3.12", "3.13", "3.14"),
    "2.21": ("3.12", "3.13", "3.14"),
}
# What the tests import, by its name in requirements-dev.txt.
PACKAGES = ("pytest", "hypothesis", "segno", "dnspython", "build", "hatchling")
TESTS = (
    "tests/unit",
    "tests/integration/test_mail_server.py",
    "tests/integration/test_role.py",
    "tests/integration/test_private_apache.py::test_role_publishes_reloads_and_then_writes_nothing",
)


def find_python(versions: tuple[str, ...]) -> str:
    """The first Python of these versions that runs, from PATH or pyenv; empty if there is none."""
    for version in versions:
        for candidate in (f"python{version}", *sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))):
            # A program of that name may be a shim for a version that is not switched on.
            if (
                shutil.which(candidate)
                and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0
            ):
                return candidate
    return ""


def requirements(version: str) -> list[str]:
    """What to install for a version of ansible-core."""
    lines = (PROJECT / "requirements-dev.txt").read_text().splitlines()
    wanted = [line for line in lines if re.split(r"[^\w-]", line)[0] in PACKAGES]
    if len(wanted) != len(PACKAGES):
        raise ValueError(f"requirements-dev.txt has {wanted}, not all of {PACKAGES}")
    return [f"ansible-core~={version}.0", *wanted]


def make_environment(version: str, python: str) -> Path:
    """The virtual environment of a version, with the checkout linked in as the collection that it is."""
    directory = ENVIRONMENTS / version
    packages = requirements(version)
    stamp = directory / f"stamp-{hashlib.sha256(' '.join((python, *packages)).encode()).hexdigest()[:16]}"
    if not stamp.exists():
        subprocess.run([python, "-m", "venv", "--clear", str(directory)], check=True)
        done = subprocess.run([str(directory / "bin/pip"), "install", *packages], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"pip cannot install {' '.join(packages)}:\n{done.stdout}{done.stderr}")
        (site,) = directory.glob("lib/python*/site-packages")
        (site / "ansible_collections/mailops").mkdir(parents=True)
        (site / "ansible_collections/mailops/autoconfig").symlink_to(PROJECT)
        stamp.touch()
    return directory


def run_tests(environment: Path, log: Path) -> tuple[bool, str]:
    """Run the tests; whether all passed, and pytest's count of them."""
    path = [entry for entry in os.environ["PATH"].split(os.pathsep) if entry != str(PROJECT / ".venv/bin")]
    variables = {
        # Not what decides over the other environment: CI makes missing programs an error, and here ruff is missing.
        **{name: value for name, value in os.environ.items() if name not in ("CI", "VIRTUAL_ENV", "PYTHONPATH")},
        "PATH": os.pathsep.join([str(environment / "bin"), *path]),
        "ANSIBLE_HOME": str(environment / "home"),
        "ANSIBLE_COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH": "error",
    }
    command = [str(environment / "bin/python"), "-m", "pytest", "-q", *TESTS]
    # A directory of its own: each start of pytest closes the one that all runs share to the web server's user.
    with tempfile.TemporaryDirectory() as directory, log.open("w") as file:
        command += ["--basetemp", f"{directory}/tests"]
        done = subprocess.run(command, cwd=PROJECT, env=variables, stdout=file, stderr=subprocess.STDOUT, check=False)
    last = log.read_text().strip().splitlines()[-1:] or ["no output"]
    return done.returncode == 0, re.sub(r" in [0-9.]+s.*", "", last[0]).strip("= ")


def results(versions: tuple[str, ...]) -> Iterator[tuple[bool, str]]:
    """For each version whether nothing failed, and a line that says so."""
    for version in versions:
        python = find_python(VERSIONS[version])
        if not python:
            yield True, f"ansible-core {version}: skipped, no Python {' or '.join(VERSIONS[version])}"
            continue
        environment, log = make_environment(version, python), ENVIRONMENTS / f"{version}.log"
        about = "import sys, ansible.release as r; print(f'{r.__version__} on Python {sys.version.split()[0]}')"
        told = subprocess.run([str(environment / "bin/python"), "-c", about], check=True, capture_output=True, text=True)
        passed, count = run_tests(environment, log)
        yield passed, f"ansible-core {told.stdout.strip()}: {count}" + ("" if passed else f" ({log.relative_to(PROJECT)})")


def main(*versions: str) -> int:
    """Try the versions that are named, or all."""
    unknown = set(versions) - set(VERSIONS)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(VERSIONS)}", file=sys.stderr)
        return 2
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    status = 0
    for passed, line in results(versions or tuple(VERSIONS)):
        print(line, flush=True)
        status |= not passed
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
