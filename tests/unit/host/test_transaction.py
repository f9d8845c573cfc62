"""Carrying a plan out: all of it or nothing, whatever fails, and whatever is cut off is finished by the next run."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
import typing as t
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import transaction as apply
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.transaction import ApplyError, Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError

if t.TYPE_CHECKING:
    from tests.unit.conftest import FakeApache, Tree


# -- scenarios ----------------------------------------------------------------------------------------------------------


class Scenario(t.NamedTuple):
    """A host with something on it, and a run of the module."""

    before: Callable[[FakeApache], object]
    run: Callable[[FakeApache], object]


PROVIDER = {
    "incoming": [{"type": "imap", "hostname": "mail.server.tld"}],
    "outgoing": [{"type": "smtp", "hostname": "mail.server.tld"}],
}


def fresh(apache: FakeApache) -> None:
    apache.add_certificate("server.tld")
    apache.add_site("000-default", "<VirtualHost *:80>\n</VirtualHost>\n")


def published(apache: FakeApache) -> None:
    fresh(apache)
    apache.publish(well_known=True, php="fpm")


def with_foreign_files(apache: FakeApache) -> None:
    published(apache)
    for path in (apache.document_root / "other.tld/mail/config-v1.1.xml", site(apache, "autoconfig.other.tld")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs\n")
        path.chmod(0o640)


def change(apache: FakeApache, **options: t.Any) -> None:
    """One provider changes and loses its snippet, another comes."""
    providers = [{**PROVIDER, "domains": ["server.tld"], "display_name": "New"}, {**PROVIDER, "domains": ["other.tld"]}]
    apache.publish(providers=providers, extra_directives="Timeout 5", **options)


SCENARIOS = {
    "the first run": Scenario(fresh, lambda apache: apache.publish(well_known=True, php="fpm")),
    "a run that changes much": Scenario(published, change),
    "the removal of all": Scenario(published, lambda apache: apache.remove()),
}
ADOPTION = Scenario(with_foreign_files, lambda apache: change(apache, adopt=True))
scenarios = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
scenarios_and_adoption = pytest.mark.parametrize("scenario", [*SCENARIOS.values(), ADOPTION], ids=[*SCENARIOS, "an adoption"])


def site(apache: FakeApache, name: str) -> Path:
    return Path(apache.layout.available("sites"), f"{name}.conf")


@pytest.fixture
def again(apache: FakeApache) -> Callable[[Scenario], FakeApache]:
    """Builds the host before a scenario anew, in the same place."""
    maker = type(apache)

    def build(scenario: Scenario) -> FakeApache:
        shutil.rmtree(apache.root)
        host = maker(apache.root)
        scenario.before(host)
        host.commands.clear()
        return host

    return build


class Killed(BaseException):
    """The end of the process, which nothing can catch."""


@contextlib.contextmanager
def fault(function: str, number: int, error: BaseException, afterwards: bool = False) -> Iterator[list[str]]:
    """Let one call of an os function raise, before or after it has done its work; yields the calls."""
    real = getattr(os, function)
    calls: list[str] = []

    def stand_in(*arguments: t.Any, **options: t.Any) -> t.Any:
        calls.append(str(arguments[-1]))
        hit = len(calls) == number + 1
        if hit and not afterwards:
            raise error
        result = real(*arguments, **options)
        if hit:
            raise error
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, function, stand_in)
        yield calls


def fail_command(apache: FakeApache, number: int, answer: Callable[[], Result], afterwards: bool = False) -> None:
    """Let one command fail, before or after it has done its work."""

    def hook(count: int, command: Sequence[str]) -> Result | None:
        return answer() if count == number and command[0] != "openssl" else None

    if afterwards:
        apache.after = hook
    else:
        apache.before = hook


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def killed() -> Result:
    raise Killed


def no_space() -> OSError:
    return OSError(28, "No space left on device")


def attempt(scenario: Scenario, apache: FakeApache) -> ApplyError | None:
    """The error of a run, if it has one."""
    try:
        scenario.run(apache)
    except ApplyError as exc:
        return exc
    return None


def nothing_fails(apache: FakeApache) -> None:
    apache.before = apache.after = lambda number, command: None


# -- everything goes well -----------------------------------------------------------------------------------------------


def test_the_first_run_makes_and_enables_everything(apache: FakeApache) -> None:
    fresh(apache)
    plan = apache.publish(well_known=True, php="fpm").plan
    assert plan.write
    for path, content in plan.write.items():
        assert Path(path).read_bytes() == content
    assert apache.enabled("sites") == ["000-default.conf", "autoconfig.server.tld-ssl.conf", "autoconfig.server.tld.conf"]
    assert apache.enabled("conf") == ["autoconfig.server.tld-well-known.conf"]
    modules = {"alias", "authz_core", "env", "headers", "lua", "ssl"}
    assert {Path(name).stem for name in apache.enabled("mods")} >= modules
    assert apache.complaint() == ""


def test_commands_come_in_the_order_in_which_nothing_breaks(apache: FakeApache) -> None:
    published(apache)
    apache.commands.clear()
    change(apache)
    commands = [" ".join(command) for command in apache.commands if command[0] != "openssl"]
    assert commands == [
        "apache2ctl configtest",
        "a2disconf -q autoconfig.server.tld-well-known",
        "a2ensite -q autoconfig.other.tld",
        "apache2ctl configtest",
    ]


@scenarios
def test_a_second_run_writes_nothing_and_runs_nothing(again: Callable[[Scenario], FakeApache], scenario: Scenario) -> None:
    apache = again(scenario)
    scenario.run(apache)
    before = apache.footprint()
    apache.commands.clear()
    scenario.run(apache)
    assert apache.footprint() == before
    assert {command[0] for command in apache.commands} <= {"openssl"}


def test_a_changed_document_needs_neither_command_nor_reload(apache: FakeApache) -> None:
    fresh(apache)
    provider = {**PROVIDER, "domains": ["server.tld"]}
    apache.publish(providers=[provider])
    (apache.state / "reload-pending").unlink()
    apache.commands.clear()
    plan = apache.publish(providers=[{**provider, "short_name": "New"}]).plan
    assert [Path(path).name for path in plan.write] == ["config-v1.1.xml"]
    assert not plan.needs_reload
    assert {command[0] for command in apache.commands} <= {"openssl"}
    assert not (apache.state / "reload-pending").exists()
    assert not apache.prepare(providers=[{**provider, "short_name": "New"}]).plan.changes


def test_files_can_be_read_by_apache_whatever_the_umask(apache: FakeApache) -> None:
    fresh(apache)
    before = set(apache.tree())
    mask = os.umask(0o077)
    try:
        apache.publish(well_known=True)
    finally:
        os.umask(mask)
    for name, state in apache.tree().items():
        if name not in before and state[0] != "link":
            assert (name, oct(state[1])) == (name, oct(0o755 if state[0] == "directory" else 0o644))


def test_a_reload_is_due_until_somebody_says_that_it_is_done(apache: FakeApache) -> None:
    fresh(apache)
    assert apache.publish().plan.needs_reload
    assert (apache.state / "reload-pending").exists()
    waiting = apache.publish().plan
    assert waiting.needs_reload
    assert not waiting.changes
    (apache.state / "reload-pending").unlink()
    assert not apache.publish().plan.needs_reload


def test_removal_leaves_nothing_but_the_state_and_the_document_root(apache: FakeApache) -> None:
    fresh(apache)
    before = apache.tree()
    apache.publish(well_known=True)
    apache.remove()
    left = {name: state for name, state in apache.tree().items() if name not in before}
    modules = {name for name in left if name.startswith("etc/apache2/mods-enabled/")}
    assert set(left) - modules == {
        "var/lib/mail_autoconfig",
        "var/lib/mail_autoconfig/manifest.json",
        "var/lib/mail_autoconfig/reload-pending",
        "var/www/autoconfig",
    }
    assert before.items() <= apache.tree().items()


def test_removal_keeps_directories_that_hold_something_else(apache: FakeApache) -> None:
    fresh(apache)
    apache.publish()
    mine = apache.document_root / "server.tld/mail/mine.txt"
    mine.write_text("mine")
    apache.remove()
    assert [path.name for path in (apache.document_root / "server.tld").iterdir()] == ["mail"]
    assert mine.read_text() == "mine"


def test_removal_never_takes_a_directory_of_apache(apache: FakeApache) -> None:
    apache.publish(well_known=True)
    apache.remove()
    for kind in ("sites", "conf", "mods"):
        assert Path(apache.layout.available(kind)).is_dir()
        assert Path(apache.layout.enabled(kind)).is_dir()


def test_an_adopted_file_leaves_a_copy_with_its_mode(apache: FakeApache) -> None:
    with_foreign_files(apache)
    change(apache, adopt=True)
    for path in (apache.document_root / "other.tld/mail/config-v1.1.xml", site(apache, "autoconfig.other.tld")):
        copy = Path(f"{path}.before-mail_autoconfig")
        assert copy.read_text() == "theirs\n"
        assert stat.S_IMODE(copy.stat().st_mode) == 0o640
        assert path.read_text() != "theirs\n"


def test_the_first_copy_of_an_adopted_file_is_kept(apache: FakeApache) -> None:
    with_foreign_files(apache)
    path = site(apache, "autoconfig.other.tld")
    Path(f"{path}.before-mail_autoconfig").write_text("the first\n")
    change(apache, adopt=True)
    assert Path(f"{path}.before-mail_autoconfig").read_text() == "the first\n"


def test_without_adoption_foreign_files_stop_the_run_before_it_begins(apache: FakeApache) -> None:
    with_foreign_files(apache)
    before = apache.footprint()
    with pytest.raises(InputError, match="was not made by this collection"):
        change(apache)
    assert apache.footprint() == before


@pytest.mark.parametrize("adopt", [False, True])
def test_a_link_in_the_place_of_a_document_is_not_followed(apache: FakeApache, adopt: bool) -> None:
    fresh(apache)
    target = apache.root / "secret"
    target.write_text("secret")
    path = apache.document_root / "server.tld/mail/config-v1.1.xml"
    path.parent.mkdir(parents=True)
    path.symlink_to(target)
    with pytest.raises(InputError, match="is not a regular file"):
        apache.publish(adopt=adopt)
    assert path.is_symlink()
    assert target.read_text() == "secret"


# -- something fails ----------------------------------------------------------------------------------------------------


@scenarios_and_adoption
def test_a_configuration_that_is_broken_already_is_not_touched(
    again: Callable[[Scenario], FakeApache], scenario: Scenario
) -> None:
    apache = again(scenario)
    answer = Result(1, "", "AH00526: Syntax error on line 3 of /etc/apache2/theirs.conf\n")
    apache.before = lambda number, command: answer if command[0] == "apache2ctl" else None
    before = apache.footprint()
    with pytest.raises(ApplyError, match="is broken already, before any change of ours") as error:
        scenario.run(apache)
    assert error.value.details == "AH00526: Syntax error on line 3 of /etc/apache2/theirs.conf"
    assert apache.footprint() == before
    assert not error.value.rolled_back


@scenarios_and_adoption
def test_a_configuration_that_apache_refuses_is_taken_back(again: Callable[[Scenario], FakeApache], scenario: Scenario) -> None:
    apache = again(scenario)
    before = apache.tree()
    tests: list[int] = []

    def refuse(number: int, command: Sequence[str]) -> Result | None:
        if command[0] != "apache2ctl":
            return None
        tests.append(number)
        return Result(1, "to stdout", "AH00526: Syntax error\n") if len(tests) == 2 else None

    apache.before = refuse
    with pytest.raises(ApplyError, match="Apache refuses the new configuration; everything was put back") as error:
        scenario.run(apache)
    assert error.value.details == "AH00526: Syntax error\nto stdout"
    assert error.value.rolled_back is True
    assert apache.tree() == before
    nothing_fails(apache)
    scenario.run(apache)
    assert apache.complaint() == ""


@scenarios_and_adoption
@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("function", ["replace", "mkdir", "unlink", "fsync"])
def test_whichever_write_fails_everything_is_put_back(
    again: Callable[[Scenario], FakeApache], scenario: Scenario, function: str, afterwards: bool
) -> None:
    for number in itertools.count():
        apache = again(scenario)
        before = apache.tree()
        with fault(function, number, no_space(), afterwards) as calls:
            error = attempt(scenario, apache)
        if len(calls) <= number:
            break
        assert error is not None
        assert error.rolled_back is True
        assert "No space left on device; everything was put back as it was" in str(error)
        assert apache.tree() == before, calls
    assert apache.complaint() == ""


@scenarios_and_adoption
@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("how", ["status", "absence"])
def test_whichever_command_fails_everything_is_put_back(
    again: Callable[[Scenario], FakeApache], scenario: Scenario, afterwards: bool, how: str
) -> None:
    def answer() -> Result:
        if how == "absence":
            raise FileNotFoundError(2, "No such file or directory")
        return Result(1, "", "it failed")

    for number in itertools.count():
        apache = again(scenario)
        before = apache.tree()
        fail_command(apache, number, answer, afterwards)
        error = attempt(scenario, apache)
        if len(apache.commands) <= number:
            break
        command = apache.commands[number]
        if command[0] == "openssl":
            assert error is None
            continue
        assert error is not None
        assert apache.tree() == before, command
        if command[0] != "apache2ctl":
            assert error.rolled_back is True
            assert command[0] in str(error)
            assert how == "absence" or error.details == "it failed"


def test_what_cannot_be_put_back_is_named(apache: FakeApache) -> None:
    published(apache)

    def refuse(number: int, command: Sequence[str]) -> Result | None:
        if command[0] != "a2ensite":
            return None
        patch.setattr(os, "replace", fail)
        return Result(1, "", "no")

    def fail(source: str, target: str) -> None:
        raise OSError(30, "Read-only file system")

    apache.before = refuse
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ApplyError) as error:
        change(apache)
    assert error.value.rolled_back is False
    assert "not everything could be put back" in str(error.value)
    assert f"{apache.document_root}/server.tld/mail/config-v1.1.xml: Read-only file system" in str(error.value)


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    for function in ("replace", "fchmod", "fsync"):
        with fault(function, 0, no_space()), pytest.raises(OSError, match="No space"):
            apply.write_file(str(tmp_path / "x"), b"x")
        assert list(tmp_path.iterdir()) == []


# -- the process is killed ----------------------------------------------------------------------------------------------


def without_leftovers(apache: FakeApache) -> Tree:
    """Temporary files and empty directories of a provider, which a kill may leave, hurt nobody."""
    for directory in sorted(apache.document_root.glob("*/**"), reverse=True):
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
    return {name: state for name, state in apache.tree().items() if not Path(name).name.startswith(".mail_autoconfig-")}


def finish(apache: FakeApache, scenario: Scenario, expected: Tree) -> None:
    """After a kill Apache starts, the next run finishes the job, and the one after it has nothing to do."""
    assert apache.complaint() == ""
    nothing_fails(apache)
    scenario.run(apache)
    assert without_leftovers(apache) == expected
    footprint = apache.footprint()
    scenario.run(apache)
    assert apache.footprint() == footprint


def finished(again: Callable[[Scenario], FakeApache], scenario: Scenario) -> Tree:
    """What an undisturbed run leaves; the mark for the reload is there, as nobody reloads here."""
    apache = again(scenario)
    scenario.run(apache)
    assert "var/lib/mail_autoconfig/reload-pending" in apache.tree()
    return apache.tree()


@scenarios
@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("function", ["replace", "mkdir", "unlink"])
def test_at_whichever_write_it_is_killed_the_next_run_finishes_the_job(
    again: Callable[[Scenario], FakeApache], scenario: Scenario, function: str, afterwards: bool
) -> None:
    expected = finished(again, scenario)
    for number in itertools.count():
        apache = again(scenario)
        with fault(function, number, Killed(), afterwards) as calls, contextlib.suppress(Killed):
            scenario.run(apache)
        if len(calls) <= number:
            break
        finish(apache, scenario, expected)


@scenarios
@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
def test_at_whichever_command_it_is_killed_the_next_run_finishes_the_job(
    again: Callable[[Scenario], FakeApache], scenario: Scenario, afterwards: bool
) -> None:
    expected = finished(again, scenario)
    for number in itertools.count():
        apache = again(scenario)
        fail_command(apache, number, killed, afterwards)
        with contextlib.suppress(Killed):
            scenario.run(apache)
        if len(apache.commands) <= number:
            break
        finish(apache, scenario, expected)


def kill_everywhere(again: Callable[[Scenario], FakeApache], scenario: Scenario) -> Iterator[FakeApache]:
    """The host after a kill before and after each replacement of a file."""
    for afterwards in (False, True):
        for number in itertools.count():
            apache = again(scenario)
            with fault("replace", number, Killed(), afterwards) as calls, contextlib.suppress(Killed):
                scenario.run(apache)
            if len(calls) <= number:
                break
            yield apache


def test_a_killed_adoption_loses_no_foreign_file(again: Callable[[Scenario], FakeApache]) -> None:
    for apache in kill_everywhere(again, ADOPTION):
        ADOPTION.run(apache)
        for path in (apache.document_root / "other.tld/mail/config-v1.1.xml", site(apache, "autoconfig.other.tld")):
            assert Path(f"{path}.before-mail_autoconfig").read_text() == "theirs\n"


def test_apache_starts_after_a_kill_that_comes_between_a_site_and_its_new_module(
    again: Callable[[Scenario], FakeApache],
) -> None:
    scenario = Scenario(lambda apache: apache.publish(), lambda apache: apache.publish(php="fpm"))
    for apache in kill_everywhere(again, scenario):
        assert apache.complaint() == ""


def refused_and_killed(apache: FakeApache, scenario: Scenario, function: str, number: int) -> bool:
    """A run whose configuration Apache refuses, killed at one call while it puts everything back; false if there is no such."""
    tests: list[int] = []
    calls: list[list[str]] = []
    with contextlib.ExitStack() as stack:

        def refuse(count: int, command: Sequence[str]) -> Result | None:
            if command[0] != "apache2ctl":
                return None
            tests.append(count)
            if len(tests) < 2:
                return None
            calls.append(stack.enter_context(fault(function, number, Killed())))
            return Result(1, "", "refused")

        apache.before = refuse
        with contextlib.suppress(Killed, ApplyError):
            scenario.run(apache)
    nothing_fails(apache)
    return len(calls[0]) > number


def kill_in_rollback(again: Callable[[Scenario], FakeApache], scenario: Scenario) -> Iterator[FakeApache]:
    """The host after a kill at every step of putting back."""
    for function in ("replace", "unlink", "symlink"):
        for number in itertools.count():
            apache = again(scenario)
            if not refused_and_killed(apache, scenario, function, number):
                break
            yield apache


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_apache_starts_after_a_kill_while_everything_is_put_back(
    again: Callable[[Scenario], FakeApache], scenario: Scenario
) -> None:
    for apache in kill_in_rollback(again, scenario):
        assert apache.complaint() == ""


def test_after_a_kill_while_everything_is_put_back_a_mended_input_works(again: Callable[[Scenario], FakeApache]) -> None:
    provider = {**PROVIDER, "domains": ["server.tld"], "display_name": "Mended"}
    for apache in kill_in_rollback(again, SCENARIOS["the first run"]):
        if not apache.complaint():
            apache.publish(providers=[provider])


# -- reading the host ---------------------------------------------------------------------------------------------------


def test_apache_is_there_if_its_main_file_is(apache: FakeApache) -> None:
    assert apache.host().apache_is_installed()
    Path(apache.layout.main_file).unlink()
    assert not apache.host().apache_is_installed()


def test_what_is_at_a_path_is_told_without_following_links(tmp_path: Path) -> None:
    file, link, directory = tmp_path / "file", tmp_path / "link", tmp_path / "directory"
    file.write_bytes(b"x")
    file.chmod(0o640)
    link.symlink_to(file)
    directory.mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    assert apply.read_file(str(file)) == apply.FileState("file", b"x", 0o640)
    assert apply.read_file(str(tmp_path / "absent")) == apply.ABSENT
    assert apply.read_file(str(tmp_path / "absent/x")) == apply.ABSENT
    for other in (link, directory, file / "x", tmp_path / "dangling", tmp_path / "pipe"):
        assert apply.read_file(str(other)) == apply.FileState("other")


def test_what_stands_in_the_way_of_a_directory_is_named(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"x")
    link.symlink_to("nowhere")
    (tmp_path / "good").symlink_to(tmp_path)
    assert apply.blocked_by(str(file)) == str(file)
    assert apply.blocked_by(str(file / "a/b")) == str(file)
    assert apply.blocked_by(str(link / "a")) == str(link)
    assert apply.blocked_by(str(tmp_path)) is None
    assert apply.blocked_by(str(tmp_path / "a/b")) is None
    assert apply.blocked_by(str(tmp_path / "good/a/b")) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"version": 2}', b'{"version": 1}', b"\xff\xff", b'{"version": 1, "providers": []}']
)
def test_a_damaged_manifest_stops_the_run_and_is_left_as_it_is(apache: FakeApache, content: bytes) -> None:
    apache.publish()
    (apache.state / "manifest.json").write_bytes(content)
    before = apache.footprint()
    with pytest.raises(ApplyError, match=r"manifest\.json is damaged"):
        apache.publish(well_known=True)
    assert apache.footprint() == before


def test_enabled_names_are_told_from_links_of_others(apache: FakeApache) -> None:
    apache.publish()
    sites = Path(apache.layout.enabled("sites"))
    (sites / "theirs.conf").write_text("# a file\n")
    (sites / "elsewhere.conf").symlink_to(apache.layout.main_file)
    (sites / "README").write_text("not a site")
    current = apache.host().current([], {})
    assert sorted(current.enabled["sites"]) == ["autoconfig.server.tld", "elsewhere", "theirs"]
    assert sorted(current.foreign_links["sites"]) == ["elsewhere", "theirs"]
    assert "mime" in current.enabled["mods"]
    assert current.foreign_links["mods"] == []


def test_a_link_that_leads_to_our_file_by_another_way_is_ours(apache: FakeApache) -> None:
    apache.publish()
    link = Path(apache.layout.enabled("sites"), "autoconfig.server.tld.conf")
    link.unlink()
    link.symlink_to(site(apache, "autoconfig.server.tld"))
    assert not apache.publish().plan.changes


def test_without_any_apache_directory_nothing_is_enabled(apache: FakeApache) -> None:
    shutil.rmtree(apache.layout.config_directory)
    current = apache.host().current(["/nowhere"], apache.host().manifest())
    assert not any(current.enabled.values())
    assert current.files["/nowhere"] == apply.ABSENT


def test_neighbours_are_the_enabled_sites_of_others(apache: FakeApache) -> None:
    fresh(apache)
    apache.publish()
    sites = Path(apache.layout.enabled("sites"))
    (sites / "direct.conf").write_text("# direct\n")
    (sites / "dangling.conf").symlink_to("nowhere")
    (sites / "notes.txt").write_text("x")
    (sites / "latin.conf").write_bytes(b"# caf\xe9\n")
    assert apache.host().neighbours(apache.host().manifest()) == {
        "000-default.conf": "<VirtualHost *:80>\n</VirtualHost>\n",
        "direct.conf": "# direct\n",
        "latin.conf": "# caf\ufffd\n",
    }


def test_a_certificates_names_are_none_where_openssl_cannot_tell(apache: FakeApache) -> None:
    apache.certificates = {"/a.pem": ["a.tld"], "/none.pem": []}
    host = apache.host()
    assert host.certificate_names("/a.pem") == "DNS:a.tld"
    assert host.certificate_names("/none.pem") is None
    assert host.certificate_names("/absent.pem") is None
    apache.before = lambda number, command: no_openssl()
    assert host.certificate_names("/a.pem") is None


def no_openssl() -> Result:
    raise FileNotFoundError(2, "openssl is not installed")


def test_an_instance_of_its_own_is_meant_by_all_commands(apache: FakeApache) -> None:
    environments = []

    def run(command: Sequence[str], environment: t.Mapping[str, str]) -> Result:
        environments.append(dict(environment))
        return apache.run(command, environment)

    preparation = apache.prepare()
    host = apply.Host(apache.layout, str(apache.state), run)
    host.apply(preparation.plan, preparation.current)
    assert environments
    assert all(item == {"LC_ALL": "C", "APACHE_CONFDIR": apache.layout.config_directory} for item in environments)
