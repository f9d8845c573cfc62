"""The steps of a change, which can be taken back in turn."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import filesystem
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.filesystem import ChangedMeanwhileError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.journal import Journal
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.plan import ABSENT


def tree(directory: Path) -> dict[str, object]:
    """Everything below a directory, with kind, mode, owner and content."""
    found: dict[str, object] = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        mode = 0 if path.is_symlink() else stat.S_IMODE(status.st_mode)
        found[str(path)] = (mode, status.st_uid, status.st_gid, content)
    return found


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A file of each kind, one of them somebody's."""
    (tmp_path / "dir").mkdir(mode=0o755)
    for name, mode in (("changed", 0o640), ("removed", 0o600), ("copied", 0o604)):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(mode)
        if os.geteuid() == 0:
            os.chown(tmp_path / name, 12, 34)
    (tmp_path / "link").symlink_to("changed")
    (tmp_path / "dir").chmod(0o711)
    return tmp_path


def change(host: Path) -> Journal:
    """A step of every kind."""
    journal = Journal()
    journal.keep_copy(f"{host}/copied", f"{host}/copied.copy")
    journal.write(f"{host}/changed", b"new")
    journal.write(f"{host}/a/b/new", b"new")
    journal.write(f"{host}/changed", b"newer")
    journal.remove(f"{host}/removed")
    journal.remove(f"{host}/link")
    journal.remove(f"{host}/absent")
    journal.link(f"{host}/c/link", "target")
    journal.repair(f"{host}/dir")
    return journal


def test_every_step_is_taken(host: Path) -> None:
    journal = change(host)
    assert (host / "changed").read_text() == "newer"
    assert stat.S_IMODE((host / "changed").stat().st_mode) == 0o644
    assert (host / "copied.copy").read_text() == "copied"
    assert [stat.S_IMODE((host / name).stat().st_mode) for name in ("copied", "copied.copy")] == [0o604, 0o604]
    assert not os.path.lexists(host / "removed")
    assert not os.path.lexists(host / "link")
    assert os.readlink(host / "c/link") == "target"
    assert stat.S_IMODE((host / "dir").stat().st_mode) == 0o755
    assert journal.made == (f"{host}/a", f"{host}/a/b", f"{host}/c")


def test_everything_is_taken_back_with_owner_group_and_mode(host: Path) -> None:
    before = tree(host)
    journal = change(host)
    assert tree(host) != before
    assert journal.take_back() == []
    assert tree(host) == before
    assert journal.take_back() == []


def test_steps_are_taken_back_in_turn(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = change(host)
    order: list[str] = []
    real = filesystem.put_back

    def put_back(path: str, saved: filesystem.Saved | None) -> None:
        order.append(os.path.relpath(path, host))
        real(path, saved)

    monkeypatch.setattr(filesystem, "put_back", put_back)
    journal.take_back()
    assert order == ["c/link", "link", "removed", "changed", "a/b/new", "changed", "copied.copy"]


@pytest.mark.parametrize("name", ["changed", "a/b/new", "c/link", "removed"])
def test_what_somebody_else_has_changed_since_is_left_and_named(host: Path, name: str) -> None:
    journal = change(host)
    path = host / name
    if os.path.lexists(path):
        path.unlink()
    path.write_text("theirs")
    failures = journal.take_back()
    assert set(failures) == {f"{path} was changed by somebody else and is left"}
    assert path.read_text() == "theirs"


def test_what_somebody_has_put_back_already_is_no_failure(host: Path) -> None:
    journal = Journal()
    journal.write(f"{host}/new", b"new")
    (host / "new").unlink()
    assert journal.take_back() == []


def test_directories_that_somebody_else_uses_meanwhile_stay(host: Path) -> None:
    journal = change(host)
    (host / "a/theirs").touch()
    assert journal.take_back() == []
    assert [path.name for path in (host / "a").iterdir()] == ["theirs"]


def test_a_link_that_is_there_is_not_ours(host: Path) -> None:
    journal = Journal()
    journal.link(f"{host}/link", "elsewhere")
    assert os.readlink(host / "link") == "changed"
    journal.take_back()
    assert os.readlink(host / "link") == "changed"


@pytest.mark.parametrize("change_it", [lambda path: path.write_text("theirs"), lambda path: path.chmod(0o644), Path.unlink])
def test_a_file_that_is_not_as_it_was_seen_is_not_touched(host: Path, change_it: object) -> None:
    path = host / "changed"
    seen = filesystem.read(str(path))
    change_it(path)  # type: ignore[operator]
    before = tree(host)
    for attempt in (lambda journal: journal.write(str(path), b"x", seen), lambda journal: journal.remove(str(path), seen)):
        journal = Journal()
        if path.exists() or attempt.__code__.co_names[0] == "write":
            with pytest.raises(ChangedMeanwhileError, match="was changed by somebody else while this run worked"):
                attempt(journal)
        assert tree(host) == before


def test_a_file_that_came_meanwhile_is_not_overwritten(host: Path) -> None:
    (host / "new").write_text("theirs")
    with pytest.raises(ChangedMeanwhileError):
        Journal().write(f"{host}/new", b"x", ABSENT)
    assert (host / "new").read_text() == "theirs"


def test_what_cannot_be_taken_back_is_named_and_the_rest_goes_on(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = change(host)
    real = os.unlink

    def fail(path: str) -> None:
        if path.endswith("copied.copy"):
            raise OSError(30, "Read-only file system")
        real(path)

    monkeypatch.setattr(os, "unlink", fail)
    assert journal.take_back() == [f"{host}/copied.copy: Read-only file system"]
    assert (host / "changed").read_text() == "changed"


def test_a_directory_that_cannot_get_its_mode_back_is_named(host: Path) -> None:
    journal = Journal()
    journal.repair(f"{host}/dir")
    (host / "dir").rmdir()
    assert journal.take_back() == [f"{host}/dir: No such file or directory"]


def test_of_what_is_gone_no_copy_is_kept_and_nothing_of_somebody_else_is_lost(host: Path) -> None:
    journal = Journal()
    journal.keep_copy(f"{host}/absent", f"{host}/copied")
    assert (host / "copied").read_text() == "copied"
    assert journal.take_back() == []
    assert (host / "copied").read_text() == "copied"


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files to any group")
def test_a_file_can_be_for_another_group(host: Path) -> None:
    Journal().write(str(host / "copy"), b"secret", mode=0o640, gid=33)
    status = os.stat(host / "copy")
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o640, 0, 33)
