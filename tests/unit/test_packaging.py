"""What a user installs: the tarball of ansible-galaxy and the wheel hold the same collection, and it runs from both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
SHIPPED = {"CHANGELOG.rst", "COPYING", "README.md", "changelogs", "meta", "playbooks", "plugins", "roles"}
PLAY = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mailops.autoconfig.mail_autoconfig
      vars:
        mail_autoconfig_domain: server.tld
        mail_autoconfig_config_directory: /nowhere
"""


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows, with junk such as every working tree collects."""
    directory = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=PROJECT, check=True, capture_output=True
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (PROJECT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes((PROJECT / name).read_bytes())
    for junk in (
        ".venv/lib/x.py",
        ".cache/x",
        "dist/x.whl",
        "plugins/__pycache__/x.pyc",
        ".git/HEAD",
        "collections/x",
        "x.tar.gz",
    ):
        (directory / junk).parent.mkdir(parents=True, exist_ok=True)
        (directory / junk).write_text("junk")
    return directory


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    # The collection of the checkout must not be found instead of the one that is installed.
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "ANSIBLE_CONFIG": str(PROJECT / "tests/ansible.cfg"),
        **environment,
    }
    for name in ("PIP_CERT", "PIP_FIND_LINKS", "XDG_CONFIG_HOME"):
        if name in os.environ:
            variables[name] = os.environ[name]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)


def check_installed(directory: Path, **environment: str) -> None:
    """The documentation shows and the role runs, as far as it can without an Apache."""
    for kind, name in (("module", "mail_autoconfig"), ("filter", "from_autoconfig_xml")):
        command = ("ansible-doc", "--json", "-t", kind, f"mailops.autoconfig.{name}")
        shown = run(*command, cwd=directory, **environment)
        assert shown.stderr == ""
        documented = json.loads(shown.stdout)[f"mailops.autoconfig.{name}"]
        assert documented["doc"]["filename"].startswith(str(directory))
        assert documented["examples"]
    (directory / "play.yml").write_text(PLAY)
    played = run("ansible-playbook", str(directory / "play.yml"), cwd=directory, **environment)
    assert "there is no Apache here" in played.stdout, played.stdout + played.stderr


def test_the_tarball_holds_what_belongs_to_users_and_runs(checkout: Path, tmp_path: Path) -> None:
    built = run("ansible-galaxy", "collection", "build", str(checkout), "--output-path", str(tmp_path), cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    version = yaml.safe_load((PROJECT / "galaxy.yml").read_text())["version"]
    tarball = tmp_path / f"mailops-autoconfig-{version}.tar.gz"
    with tarfile.open(tarball) as archive:
        names = [name for name in archive.getnames() if archive.getmember(name).isfile()]
    assert {name.split("/")[0] for name in names} - {"MANIFEST.json", "FILES.json"} <= SHIPPED
    assert {"plugins/modules/mail_autoconfig.py", "roles/mail_autoconfig/meta/argument_specs.yml", "playbooks/site.yml"} <= set(
        names
    )
    assert not [name for name in names if "__pycache__" in name or "junk" in name or "fragments" in name]
    # The checkout is linked into this Python's site-packages, and would count as installed already.
    only = {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    installed = run(
        *("ansible-galaxy", "collection", "install", "--offline", str(tarball), "-p", str(tmp_path / "collections")),
        cwd=tmp_path,
        **only,
    )
    assert installed.returncode == 0, installed.stderr
    check_installed(tmp_path, **only)


def test_the_wheel_lands_as_a_collection_and_runs(checkout: Path, tmp_path: Path) -> None:
    built = run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(checkout)), cwd=tmp_path
    )
    assert built.returncode == 0, built.stdout + built.stderr
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    prefix = "ansible_collections/mailops/autoconfig/"
    assert all(name.startswith(prefix) for name in names)
    assert {name.removeprefix(prefix).split("/")[0] for name in names} <= SHIPPED | {"galaxy.yml"}
    target = tmp_path / "site"
    installed = run(
        *(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(target), str(wheel)),
        cwd=tmp_path,
    )
    assert installed.returncode == 0, installed.stderr
    check_installed(tmp_path, PYTHONPATH=str(target))
