"""Files, links and directories: read as they are, replaced in one step, put back as they were."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import filesystem
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.filesystem import Saved
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.interrupts import Interrupted
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.plan import ABSENT, FileState


def test_what_is_at_a_path_is_told_without_following_links(tmp_path: Path) -> None:
    file, link, directory = tmp_path / "file", tmp_path / "link", tmp_path / "directory"
    file.write_bytes(b"x")
    file.chmod(0o640)
    link.symlink_to(file)
    directory.mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    assert filesystem.read(str(file)) == FileState("file", b"x", 0o640, os.geteuid())
    assert filesystem.read(str(tmp_path / "absent")) == ABSENT
    assert filesystem.read(str(tmp_path / "absent/x")) == ABSENT
    for other in (link, directory, file / "x", file / "x/y", tmp_path / "dangling", tmp_path / "dangling/x", tmp_path / "pipe"):
        assert filesystem.read(str(other)) == FileState("other")


def test_what_stands_in_the_way_of_a_directory_is_named(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"x")
    link.symlink_to("nowhere")
    (tmp_path / "good").symlink_to(tmp_path)
    assert filesystem.blocked_by(str(file)) == str(file)
    assert filesystem.blocked_by(str(file / "a/b")) == str(file)
    assert filesystem.blocked_by(str(link / "a")) == str(link)
    assert filesystem.blocked_by(str(tmp_path)) == ""
    assert filesystem.blocked_by(str(tmp_path / "a/b")) == ""
    assert filesystem.blocked_by(str(tmp_path / "good/a/b")) == ""


def test_a_path_is_told_by_where_its_directory_leads_and_its_end_is_left(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "by").symlink_to("target")
    (tmp_path / "target/link").symlink_to("nowhere")
    assert filesystem.real(f"{tmp_path}/by/link") == f"{tmp_path}/target/link"
    assert filesystem.real(f"{tmp_path}/by/absent/x") == f"{tmp_path}/target/absent/x"


def test_the_names_in_a_directory_are_sorted_and_none_where_there_is_none(tmp_path: Path) -> None:
    for name in "cab":
        (tmp_path / name).touch()
    assert filesystem.names(str(tmp_path)) == ["a", "b", "c"]
    assert filesystem.names(str(tmp_path / "absent")) == filesystem.names(str(tmp_path / "a")) == []


def test_a_file_is_replaced_and_not_written_into(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_text("old")
    os.link(file, other)
    filesystem.write(str(file), b"new", 0o604)
    assert (file.read_text(), other.read_text()) == ("new", "old")
    assert stat.S_IMODE(file.stat().st_mode) == 0o604
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "other"]


def test_a_temporary_file_of_somebody_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("theirs")
    (tmp_path / f"{filesystem.TEMPORARY}file").symlink_to(target)
    filesystem.write(str(tmp_path / "file"), b"new")
    assert target.read_text() == "theirs"
    assert (tmp_path / "file").read_text() == "new"


@pytest.mark.parametrize("function", ["replace", "fchmod", "fsync"])
def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="No space"):
        filesystem.write(str(tmp_path / "x"), b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("function", "act"),
    [
        ("open", lambda path: filesystem.write(path, b"x")),
        ("symlink", lambda path: filesystem.link(path, "target")),
    ],
)
def test_a_signal_that_comes_with_the_temporary_path_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, act: Callable[[str], None]
) -> None:
    """Python runs its handler when the system's call has ended, before it goes on to the next line."""
    real = getattr(os, function)

    def interrupted(*arguments: Any) -> None:
        real(*arguments)
        raise Interrupted

    monkeypatch.setattr(os, function, interrupted)
    with pytest.raises(Interrupted):
        act(str(tmp_path / "x"))
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_a_link_takes_the_place_of_what_is_there(tmp_path: Path) -> None:
    link = tmp_path / "link"
    filesystem.link(str(link), "first")
    filesystem.link(str(link), "second")
    assert os.readlink(link) == "second"
    assert list(tmp_path.iterdir()) == [link]


def test_whatever_was_there_is_put_back(tmp_path: Path) -> None:
    file, link, absent = tmp_path / "deep/file", tmp_path / "link", tmp_path / "absent"
    file.parent.mkdir()
    file.write_bytes(b"x")
    file.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(file, 12, 34)
    link.symlink_to("target")
    saved = {path: filesystem.save(str(path)) for path in (file, link, absent)}
    assert saved[absent] is None
    file.unlink()
    file.parent.rmdir()
    link.unlink()
    absent.write_text("new")
    for path, state in saved.items():
        filesystem.put_back(str(path), state)
    assert {path: filesystem.save(str(path)) for path in saved} == saved
    assert saved[file] == Saved(FileState("file", b"x", 0o600, os.stat(file).st_uid), "", os.stat(file).st_gid)
    filesystem.put_back(str(absent), None)


def test_who_is_not_root_puts_files_back_as_far_as_the_system_lets_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _uid: int, _gid: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    file = tmp_path / "file"
    file.write_bytes(b"x")
    file.chmod(0o640)
    saved = filesystem.save(str(file))
    file.unlink()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "fchown", refuse)
    filesystem.put_back(str(file), saved)
    assert filesystem.save(str(file)) == saved


def test_directories_are_made_from_the_outermost_and_told(tmp_path: Path) -> None:
    path = f"{tmp_path}/a/b/c"
    assert filesystem.missing_directories(path) == [f"{tmp_path}/a", f"{tmp_path}/a/b", path]
    assert filesystem.make_directories(path) == [f"{tmp_path}/a", f"{tmp_path}/a/b", path]
    assert filesystem.make_directories(path) == []


def test_the_umask_is_ordinary_for_a_while(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with filesystem.ordinary_umask():
            (tmp_path / "file").touch()
        (tmp_path / "later").touch()
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file", "later")] == [0o644, 0o600]


def test_many_paths_lead_where_each_leads_and_their_directory_is_looked_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "here").symlink_to("there")
    (tmp_path / "there/link").symlink_to("a")
    asked = []
    whole = os.path.realpath

    def realpath(path: str) -> str:
        asked.append(path)
        return whole(path)

    monkeypatch.setattr(os.path, "realpath", realpath)
    real = filesystem.real_of_many()
    found = [real(f"{tmp_path}/here/{name}") for name in ("a", "b", "link")]
    assert asked == ["/", f"{tmp_path}/here"]
    assert found == [f"{tmp_path}/there/{name}" for name in ("a", "b", "link")]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "plain",
        "plain/",
        "./plain",
        "dir/../link",
        "up/file",
        "up/../up/file",
        "loop",
        "loop/file",
        "file/below",
        "absent/x",
    ],
)
def test_many_paths_lead_where_realpath_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    (tmp_path / "dir/inner").mkdir(parents=True)
    (tmp_path / "dir/file").touch()
    (tmp_path / "file").touch()
    for name, target in {"link": "dir", "up": "link/inner/..", "loop": "loop", "dir/inner/back": "../../up"}.items():
        (tmp_path / name).symlink_to(target)
    monkeypatch.chdir(tmp_path)
    leads_to = filesystem.realpath_of_many()
    for below in (path, f"{tmp_path}/{path}", f"link/inner/back/{path}"):
        assert leads_to(below) == os.path.realpath(below)


def test_a_file_is_changed_since_a_moment_if_it_or_its_link_is_newer(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    link.symlink_to(file)
    moment = file.lstat().st_ctime
    paths = [str(file), str(link), str(tmp_path / "absent")]
    assert filesystem.changed_since(paths, moment - 5) == paths[:2]
    assert filesystem.changed_since(paths, moment) == []
    assert filesystem.changed_since(paths, None) == []


def test_a_note_is_an_empty_file_and_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    (tmp_path / "link").symlink_to("elsewhere")
    for name in ("new", "there"):
        filesystem.touch(f"{tmp_path}/{name}")
    with pytest.raises(OSError, match="symbolic links"):
        filesystem.touch(f"{tmp_path}/link")
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if not path.is_symlink()} == {"new": "", "there": "x"}


@pytest.mark.parametrize(
    ("allowed", "free", "files", "reason"),
    [
        (True, 3, 40, ""),
        (True, 2, 40, "its file system has 8 KiB left, and 12 may be needed"),
        (True, 3, 39, "its file system takes 39 more files, and 40 may be needed"),
        # A file system that does not count them.
        (True, 3, None, ""),
        (False, 3, 40, "this user may not write there"),
    ],
)
def test_why_something_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool, free: int, files: int | None, reason: str
) -> None:
    counted = (0, 0) if files is None else (100, files)
    state = os.statvfs_result((4096, 4096, 9, free, free, counted[0], counted[1], counted[1], 0, 255))
    monkeypatch.setattr(os, "statvfs", {str(tmp_path): state}.__getitem__)
    monkeypatch.setattr(os, "access", lambda path, _mode: allowed and path == str(tmp_path))
    assert filesystem.why_not_writable(str(tmp_path / "not/there"), 3 * 4096, 40) == reason


def test_a_file_system_that_is_mounted_read_only_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = os.statvfs_result((4096, 4096, 9, 9, 9, 9, 9, 9, os.ST_RDONLY, 255))
    monkeypatch.setattr(os, "statvfs", {str(tmp_path): state}.__getitem__)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert filesystem.why_not_writable(str(tmp_path), 1, 1) == "its file system is mounted read-only"


def test_a_directory_that_was_made_durable_is_not_kept_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    filesystem.sync(str(tmp_path))
    assert os.listdir("/proc/self/fd") == before
