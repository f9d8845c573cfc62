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
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import server as servers
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.interrupts import Interrupted
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.transaction import ApplyError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.questions import Answer, Question

from tests.unit.fake_apache import RefusedError

if t.TYPE_CHECKING:
    from tests.unit.fake_apache import FakeApache, Ran, Tree


# -- scenarios ----------------------------------------------------------------------------------------------------------


class Scenario(t.NamedTuple):
    """A host with something on it, and a run of the module."""

    before: Callable[[FakeApache], object]
    run: Callable[[FakeApache], object]


PROVIDER = {
    "incoming": [{"type": "imap", "hostname": "mail.server.tld"}],
    "outgoing": [{"type": "smtp", "hostname": "mail.server.tld"}],
}
NAMES = ("autoconfig.server.tld", "autodiscover.server.tld")


def fresh(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES)
    apache.add_site("000-default", "<VirtualHost *:80>\n</VirtualHost>\n")


def published(apache: FakeApache) -> None:
    fresh(apache)
    apache.publish(well_known=True, php="fpm")


def with_foreign_files(apache: FakeApache) -> None:
    published(apache)
    for path in foreign(apache):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# theirs\n")
        path.chmod(0o640)


def foreign(apache: FakeApache) -> list[Path]:
    return [
        apache.document_root / "other.tld/mail/config-v1.1.xml",
        apache.available("sites", "autoconfig.other.tld.conf"),
    ]


def change(apache: FakeApache, **options: t.Any) -> Ran:
    """One provider changes and loses its snippet, another comes."""
    providers = [{**PROVIDER, "domains": ["server.tld"], "display_name": "New"}, {**PROVIDER, "domains": ["other.tld"]}]
    return apache.publish(providers=providers, extra_directives="Timeout 5", **options)


SCENARIOS = {
    "the first run": Scenario(fresh, lambda apache: apache.publish(well_known=True, php="fpm")),
    "a run that changes much": Scenario(published, change),
    "the removal of all": Scenario(published, lambda apache: apache.remove()),
}
ADOPTION = Scenario(with_foreign_files, lambda apache: change(apache, adopt=True))
scenarios = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
scenarios_and_adoption = pytest.mark.parametrize("scenario", [*SCENARIOS.values(), ADOPTION], ids=[*SCENARIOS, "an adoption"])
Again = Callable[[Scenario], "FakeApache"]


@pytest.fixture
def again(apache: FakeApache) -> Again:
    """Builds the host before a scenario anew, in the same place."""
    maker = type(apache)

    def build(scenario: Scenario) -> FakeApache:
        shutil.rmtree(apache.root)
        host = maker(apache.root)
        scenario.before(host)
        host.commands.clear()
        return host

    return build


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(servers, "_PAUSE", 0.002)


# -- faults -------------------------------------------------------------------------------------------------------------

WRITING = ("replace", "mkdir", "unlink", "symlink", "chmod", "rmdir")


@contextlib.contextmanager
def fault(function: str, number: int, error: Callable[[], BaseException], afterwards: bool = False) -> Iterator[list[str]]:
    """Let one call of an os function fail, before or after it has done its work; yields the calls."""
    real = getattr(os, function)
    calls: list[str] = []

    def stand_in(*arguments: t.Any, **options: t.Any) -> t.Any:
        calls.append(str(arguments[-1]))
        hit = len(calls) == number + 1
        if hit and not afterwards:
            raise error()
        result = real(*arguments, **options)
        if hit:
            raise error()
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, function, stand_in)
        yield calls


def no_space() -> OSError:
    return OSError(28, "No space left on device")


def interrupted() -> Interrupted:
    """As the handler of a signal raises it, wherever the program is."""
    return Interrupted("the run was told to stop (SIGTERM)")


def fail_command(apache: FakeApache, number: int, answer: Callable[[], Result], afterwards: bool = False) -> None:
    """Let one command fail, before or after it has done its work."""

    def hook(count: int, command: Sequence[str]) -> Result | None:
        return answer() if count == number else None

    if afterwards:
        apache.after = hook
    else:
        apache.before = hook


def nothing_fails(apache: FakeApache) -> None:
    apache.before = apache.after = lambda number, command: None
    apache.answering = lambda question: None
    apache.reloading = lambda: None


def attempt(scenario: Scenario, apache: FakeApache) -> ApplyError | None:
    """The error of a run, if it has one."""
    try:
        scenario.run(apache)
    except ApplyError as exc:
        return exc
    return None


def running(apache: FakeApache) -> dict[str, bytes]:
    """What Apache serves, by file."""
    return {f"{host.file}:{host.line}": host.content for host in apache.loaded.hosts} if apache.loaded else {}


# -- everything goes well -----------------------------------------------------------------------------------------------


def test_the_first_run_makes_and_enables_everything(apache: FakeApache) -> None:
    fresh(apache)
    ran = apache.publish(well_known=True, php="fpm")
    assert ran.plan.write
    for path, file in ran.plan.write.items():
        assert Path(path).read_bytes() == file.content
    assert apache.enabled("sites") == ["000-default.conf", "autoconfig.server.tld-ssl.conf", "autoconfig.server.tld.conf"]
    assert apache.enabled("conf") == ["autoconfig.server.tld-well-known.conf"]
    modules = {"alias", "authz_core", "env", "headers", "lua", "ssl", "setenvif", "socache_shmcb"}
    assert {Path(name).stem for name in apache.enabled("mods")} >= modules
    assert apache.complaint() == ""


def test_a_run_ends_when_apache_serves_the_new_answers(apache: FakeApache) -> None:
    fresh(apache)
    result = apache.publish().result
    assert result["changed"] is result["reloaded"] is result["apache_running"] is True
    assert result["needs_reload"] is False
    assert result["asked"] > 5
    assert apache.serves("autoconfig.server.tld") == "autoconfig.server.tld.conf"
    assert apache.serves("autoconfig.server.tld", 443) == "autoconfig.server.tld-ssl.conf"
    assert apache.serves("unknown.tld") == "000-default.conf"
    assert not (apache.state / "reload-pending").exists()


def test_apache_can_start_after_every_single_step(again: Again) -> None:
    for scenario in (*SCENARIOS.values(), ADOPTION):
        apache = again(scenario)
        complaints: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            for function in ("replace", "unlink"):
                patch.setattr(os, function, judged(getattr(os, function), apache, complaints))
            scenario.run(apache)
        assert [complaint for complaint in complaints if complaint] == []
        assert len(complaints) > 10


def judged(real: Callable[..., None], apache: FakeApache, complaints: list[str]) -> Callable[..., None]:
    """The same function, after which Apache is asked whether it could start."""

    def stand_in(*arguments: t.Any) -> None:
        real(*arguments)
        complaints.append(apache.complaint())

    return stand_in


@scenarios
def test_a_second_run_writes_nothing_and_only_asks(again: Again, scenario: Scenario) -> None:
    apache = again(scenario)
    scenario.run(apache)
    before = apache.footprint()
    apache.commands.clear()
    apache.asked.clear()
    scenario.run(apache)
    assert apache.footprint() == before
    assert apache.asked == []
    assert not [command for command in apache.commands if command[0] == "apache2ctl" and "-t" not in command]


def test_a_changed_document_needs_no_reload_and_is_asked_for(apache: FakeApache) -> None:
    fresh(apache)
    provider = {**PROVIDER, "domains": ["server.tld"]}
    apache.publish(providers=[provider])
    apache.asked.clear()
    workers = apache.workers
    ran = apache.publish(providers=[{**provider, "short_name": "New"}])
    assert [Path(path).name for path in ran.plan.write] == ["config-v1.1.xml"]
    assert ran.result["needs_reload"] is ran.result["reloaded"] is False
    assert apache.workers == workers
    assert {question.host for question in apache.asked} == set(NAMES)
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


def test_without_reload_it_is_due_until_a_run_does_it_or_somebody_says_that_it_is_done(apache: FakeApache) -> None:
    fresh(apache)
    way = {"reload": False}
    first = apache.publish(way)
    assert first.result["needs_reload"] is True
    assert apache.serves("autoconfig.server.tld") == "000-default.conf"
    assert (apache.state / "reload-pending").exists()
    waiting = apache.publish(way)
    assert waiting.result["needs_reload"] is waiting.changed is True
    assert not waiting.plan.changes
    (apache.state / "reload-pending").unlink()
    assert apache.publish(way).changed is False
    (apache.state / "reload-pending").touch()
    last = apache.publish()
    assert last.result["reloaded"] is True
    assert apache.serves("autoconfig.server.tld") == "autoconfig.server.tld.conf"
    assert not (apache.state / "reload-pending").exists()
    assert apache.publish().changed is False


def test_without_reload_nobody_is_asked_what_cannot_be_there_yet(apache: FakeApache) -> None:
    fresh(apache)
    assert apache.publish({"reload": False}).result["asked"] == 0
    assert apache.asked == []


@pytest.mark.parametrize("state", ["present", "absent"])
def test_files_that_workers_may_read_outlive_the_reload(apache: FakeApache, state: str) -> None:
    """A worker that opens a script which is gone is killed by mod_lua, with all its connections."""
    fresh(apache)
    apache.publish(responder="lua")
    scripts = list(apache.available("conf", "").glob("*.lua"))
    templates = list(apache.document_root.rglob("autodiscover-*.xml"))
    apache.publish({"reload": False, "state": state}, mail_host="new.tld")
    assert all(path.exists() for path in (*scripts, *templates))
    ran = apache.publish({"state": state}, mail_host="new.tld")
    assert ran.result["reloaded"] is True
    assert not any(path.exists() for path in (*scripts, *templates))
    assert apache.publish({"state": state}, mail_host="new.tld").changed is False


def test_files_that_old_workers_still_read_are_kept_until_another_run(
    apache: FakeApache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "OLD_WORKERS_SECONDS", 0.02)
    fresh(apache)
    apache.publish()
    (script,) = apache.available("conf", "").glob("*.lua")
    apache.lingers = True
    apache.publish(mail_host="new.tld")
    assert script.exists()
    apache.lingers = False
    apache.begin()
    apache.publish(mail_host="newer.tld")
    assert len(list(apache.available("conf", "").glob("*.lua"))) == 1
    assert not script.exists()


def test_removal_leaves_nothing_but_what_was_there_and_modules(apache: FakeApache) -> None:
    fresh(apache)
    before = apache.tree()
    apache.publish(well_known=True)
    apache.remove()
    left = {name: state for name, state in apache.tree().items() if name not in before}
    notes = {name for name in left if name.startswith("var/lib/apache2")}
    modules = {name for name in left if name.startswith("etc/apache2/mods-enabled/")}
    assert set(left) - modules - notes <= {"var/lib/mail_autoconfig"}
    assert before.items() <= apache.tree().items()
    assert apache.serves("autoconfig.server.tld") == "000-default.conf"


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


def test_an_adopted_file_leaves_a_copy_with_its_mode_and_owner(apache: FakeApache) -> None:
    with_foreign_files(apache)
    if os.geteuid() == 0:
        os.chown(foreign(apache)[0], 33, 33)
    before = [path.stat() for path in foreign(apache)]
    change(apache, adopt=True)
    for path, status in zip(foreign(apache), before, strict=True):
        copy = Path(f"{path}.before-mail_autoconfig")
        assert copy.read_text() == "# theirs\n"
        assert stat.S_IMODE(copy.stat().st_mode) == 0o640
        assert (copy.stat().st_uid, copy.stat().st_gid) == (status.st_uid, status.st_gid)
        assert path.read_text() != "# theirs\n"


def test_no_copy_of_an_earlier_adoption_is_lost(apache: FakeApache) -> None:
    with_foreign_files(apache)
    path = foreign(apache)[1]
    for number, text in enumerate(("# first\n", "# second\n", "# third\n")):
        path.write_text(text)
        change(apache, adopt=True)
        apache.remove(purge=True)
        suffix = f".{number}" if number else ""
        assert Path(f"{path}.before-mail_autoconfig{suffix}").read_text() == text
    assert Path(f"{path}.before-mail_autoconfig").read_text() == "# first\n"


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


def test_a_document_root_that_is_reached_by_a_link_is_one_with_its_target(apache: FakeApache) -> None:
    """Moved, with a link left behind, and then named by its new place: nothing of it may go."""
    fresh(apache)
    apache.publish()
    moved = apache.root / "srv/autoconfig"
    moved.parent.mkdir()
    apache.document_root.rename(moved)
    apache.document_root.symlink_to(moved)
    apache.publish(document_root=str(moved))
    assert (moved / "server.tld/mail/config-v1.1.xml").is_file()
    assert apache.publish(document_root=str(moved)).changed is False
    assert not apache.remove(document_root=str(moved)).result["needs_reload"]
    assert not (moved / "server.tld").exists()


def test_directories_that_apache_cannot_enter_any_more_are_mended(apache: FakeApache) -> None:
    fresh(apache)
    apache.publish()
    directory = apache.document_root / "server.tld"
    directory.chmod(0o700)
    ran = apache.publish()
    assert ran.plan.repair == (str(directory),)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755
    assert apache.publish().changed is False


def test_what_a_killed_run_left_is_cleared_away(apache: FakeApache) -> None:
    fresh(apache)
    apache.publish()
    left = apache.document_root / "server.tld/mail/.mail_autoconfig-config-v1.1.xml"
    left.write_text("half of it")
    assert apache.publish().changed
    assert not left.exists()
    assert apache.publish().changed is False


# -- a stopped Apache ---------------------------------------------------------------------------------------------------


def test_a_stopped_apache_is_tested_and_not_started(apache: FakeApache) -> None:
    fresh(apache)
    apache.stop()
    ran = apache.publish()
    assert ran.result["apache_running"] is ran.result["reloaded"] is ran.result["needs_reload"] is False
    assert apache.asked == []
    assert apache.master is None
    assert [line for line in ran.warnings if "It is not started by this run" in line]
    assert not (apache.state / "reload-pending").exists()
    assert apache.publish().changed is False


def test_a_stopped_apache_that_would_not_start_gets_nothing(apache: FakeApache) -> None:
    fresh(apache)
    apache.stop()
    before = apache.tree()
    with pytest.raises(ApplyError, match="Apache refuses the new configuration; everything was put back") as error:
        apache.publish(extra_directives="Nonsense on")
    assert error.value.rolled_back is True
    assert apache.tree() == before
    assert apache.master is None


# -- something fails ----------------------------------------------------------------------------------------------------


@scenarios_and_adoption
def test_a_configuration_that_is_broken_already_is_not_touched(again: Again, scenario: Scenario) -> None:
    apache = again(scenario)
    apache.available("sites", "broken.conf").write_text("Nonsense on\n")
    apache.enable("sites", "broken")
    before = apache.footprint()
    with pytest.raises(ApplyError, match="is broken already, before any change of ours") as error:
        scenario.run(apache)
    assert f"line 1 of {apache.layout.enabled('sites')}/broken.conf" in error.value.details
    assert apache.footprint() == before
    assert not error.value.rolled_back


@pytest.mark.parametrize("gone", ["", "server.tld/mail"])
def test_directories_that_a_killed_removal_has_left_empty_go_with_the_next_one(apache: FakeApache, gone: str) -> None:
    published(apache)
    for path in sorted(apache.document_root.rglob("*")):
        if path.is_file():
            path.unlink()
    assert (apache.document_root / "server.tld/mail").is_dir()
    if gone:
        (apache.document_root / gone).rmdir()
    apache.remove()
    assert not apache.document_root.exists()


@pytest.mark.parametrize("run", [change, lambda apache: apache.remove()], ids=["present", "absent"])
@pytest.mark.parametrize("text", ["Nonsense on\n", "# Managed by Ansible\nNonsense on\n"])
def test_a_fault_in_a_file_of_ours_locks_nobody_out(apache: FakeApache, run: Callable[[FakeApache], Ran], text: str) -> None:
    published(apache)
    site = apache.available("sites", "autoconfig.server.tld.conf")
    site.write_text(text)
    run(apache)
    assert apache.complaint() == ""
    assert "autoconfig.server.tld.conf" not in apache.enabled("sites") or site.read_text() != text


@scenarios_and_adoption
def test_a_configuration_that_apache_refuses_is_taken_back(again: Again, scenario: Scenario) -> None:
    apache = again(scenario)
    before, served = apache.tree(), running(apache)
    judging = 0

    def refuse(number: int, command: Sequence[str]) -> Result | None:
        nonlocal judging
        if not apache.judges(command):
            return None
        judging += 1
        return Result(1, "to stdout", "AH00526: Syntax error\n")

    apache.before = refuse
    with pytest.raises(ApplyError, match="Apache refuses the new configuration; everything was put back") as error:
        scenario.run(apache)
    assert judging == 1
    assert error.value.details == "AH00526: Syntax error"
    assert error.value.rolled_back is True
    assert apache.tree() == before
    assert running(apache) == served
    nothing_fails(apache)
    scenario.run(apache)
    assert apache.complaint() == ""


def dies(apache: FakeApache) -> None:
    """Apache finds out at the reload what its configtest does not notice."""

    def reloading() -> None:
        apache.reloading = lambda: None
        raise RefusedError("AH02565: Certificate and private key do not match")

    apache.reloading = reloading


def hangs(apache: FakeApache) -> None:
    apache.hangs, apache.reload_seconds = True, 0.05


def fails_to_reload(apache: FakeApache) -> None:
    def refuse(number: int, command: Sequence[str]) -> Result | None:
        if command != ["apache2ctl", "graceful"]:
            return None
        apache.before = lambda number, command: None
        return Result(1, "", "no")

    apache.before = refuse


def answers_wrongly(apache: FakeApache) -> None:
    apache.answering = lambda question: Answer(403) if question.host.endswith(".server.tld") and apache.ready else None


def takes_from_neighbours(apache: FakeApache) -> None:
    apache.answering = lambda question: (
        Answer(403) if question.host.endswith(".invalid") and apache.serves(NAMES[0], 8080) else None
    )


@pytest.mark.parametrize(
    ("trouble", "message", "details"),
    [
        (dies, "Apache ended at the reload", "AH02565: Certificate and private key do not match"),
        (hangs, "Apache had no new workers", ""),
        (fails_to_reload, "apache2ctl graceful failed", "no"),
        (answers_wrongly, "Apache does not answer as it should", "403, expected 200"),
    ],
)
def test_whatever_goes_wrong_at_the_reload_apache_serves_what_it_served(
    apache: FakeApache, trouble: Callable[[FakeApache], None], message: str, details: str
) -> None:
    fresh(apache)
    before, served = apache.tree(), running(apache)
    trouble(apache)
    with pytest.raises(ApplyError, match=f"{message}.*; everything was put back as it was") as error:
        apache.publish()
    assert error.value.rolled_back is True
    assert details in error.value.details
    assert apache.tree() == before
    assert apache.master is not None
    assert not apache.hangs
    assert running(apache) == served
    nothing_fails(apache)
    assert apache.publish().result["reloaded"] is True


def test_a_change_after_which_others_answer_otherwise_is_taken_back(apache: FakeApache) -> None:
    fresh(apache)
    before = apache.tree()

    def answer(question: Question) -> Answer | None:
        ours_runs = apache.serves(NAMES[0]) != "000-default.conf"
        return Answer(403) if question.host == "mail-autoconfig-unknown.invalid" and ours_runs else None

    apache.answering = answer
    with pytest.raises(ApplyError, match="sites of others do not answer as before; everything was put back") as error:
        apache.publish()
    assert "GET http://mail-autoconfig-unknown.invalid/: 403, before 200" in error.value.details
    assert apache.tree() == before


def test_what_others_have_changed_and_not_reloaded_is_told_from_a_fault_of_ours(apache: FakeApache) -> None:
    """Our reload lets Apache read it, so that it answers otherwise without ours, too."""
    fresh(apache)
    before = apache.tree()

    def answer(question: Question) -> Answer | None:
        is_read = ["apache2ctl", "graceful"] in apache.commands
        return Answer(403) if question.host == "mail-autoconfig-unknown.invalid" and is_read else None

    apache.answering = answer
    with pytest.raises(ApplyError, match="somebody had changed their files and not reloaded Apache: run again") as error:
        apache.publish()
    assert error.value.rolled_back is False
    assert apache.tree() == before


def test_sites_of_others_that_fail_already_are_nothing_to_go_by(apache: FakeApache) -> None:
    fresh(apache)
    states = iter(range(500, 600))
    apache.answering = lambda question: Answer(next(states)) if question.host.endswith(".invalid") else None
    assert apache.publish().result["reloaded"] is True


def test_a_change_that_would_take_a_place_from_others_never_reaches_apache(apache: FakeApache) -> None:
    """A site that somebody has added since the survey, before which ours would come."""
    fresh(apache)
    before, served = apache.tree(), running(apache)

    def lie(number: int, command: Sequence[str]) -> Result | None:
        if "-t" not in command or "MAIL_AUTOCONFIG_OFF" not in command:
            return None
        site = f"{apache.layout.enabled('sites')}/elsewhere.conf:1"
        defines = [command[index + 1] for index, word in enumerate(command) if word == "-D"]
        dump = apache.read(*defines).dump(str(apache.error_log), str(apache.pid_file))
        return Result(0, dump.replace("Loaded Modules", f"*:81 their.tld ({site})\nLoaded Modules"), "")

    apache.before = lie
    with pytest.raises(ApplyError, match="would take something away from other sites; everything was put back") as error:
        apache.publish()
    assert "elsewhere.conf:1 would not be the default of *:81 any more" in error.value.details
    assert "elsewhere.conf:1 would not be at *:81 any more" in error.value.details
    assert apache.tree() == before
    assert running(apache) == served
    assert ["apache2ctl", "graceful"] not in apache.commands


def test_what_the_domains_own_sites_do_with_well_known_is_a_warning(apache: FakeApache) -> None:
    fresh(apache)
    apache.add_site("server", "<VirtualHost *:443>\nServerName server.tld\n</VirtualHost>\n")
    (warning,) = (line for line in apache.publish(well_known=True).warnings if "of the domain itself decides" in line)
    assert "https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml: 200" in warning


@scenarios_and_adoption
@pytest.mark.parametrize(
    ("error", "afterwards"),
    [(no_space, False), (interrupted, False), (interrupted, True)],
    ids=["disk full", "told to stop before", "told to stop after"],
)
@pytest.mark.parametrize("function", WRITING)
def test_whichever_step_fails_everything_is_put_back(
    again: Again, scenario: Scenario, function: str, afterwards: bool, error: Callable[[], BaseException]
) -> None:
    expected = finished(again, scenario)
    for number in itertools.count():
        apache = again(scenario)
        before, served = apache.tree(), running(apache)
        with fault(function, number, error, afterwards) as calls:
            failed = attempt(scenario, apache)
        if len(calls) <= number:
            break
        if failed is None:
            # Notes of the system and empty directories matter to nobody.
            assert without_notes(apache.tree()).keys() >= without_notes(expected).keys(), calls[number]
            continue
        assert failed.rolled_back is True, (failed, calls[number])
        assert f"{error().strerror if isinstance(error(), OSError) else error()}" in str(failed)
        assert without_notes(apache.tree()) == without_notes(before), calls[number]
        assert running(apache) == served
        assert apache.complaint() == ""


@scenarios_and_adoption
@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("how", ["status", "absence", "no end", "told to stop"])
def test_whichever_command_fails_everything_is_put_back(again: Again, scenario: Scenario, afterwards: bool, how: str) -> None:
    def answer() -> Result:
        if how == "absence":
            raise FileNotFoundError(2, "No such file or directory")
        if how == "no end":
            raise TimeoutError("it did not end within 60 s")
        if how == "told to stop":
            raise interrupted()
        return Result(1, "", "it failed")

    for number in itertools.count():
        apache = again(scenario)
        before, served = apache.tree(), running(apache)
        fail_command(apache, number, answer, afterwards)
        failed = None
        with contextlib.suppress(Interrupted, InputError):
            failed = attempt(scenario, apache)
        if len(apache.commands) <= number:
            break
        command = apache.commands[number]
        if how == "status" and command[0] in ("openssl", "sh", "apache2ctl") and failed is None:
            continue  # without an answer a run may find another way, or do without
        assert without_notes(apache.tree()) == without_notes(before), command
        assert running(apache) == served, command


def test_what_cannot_be_put_back_is_named(apache: FakeApache) -> None:
    published(apache)

    def fail(source: str, target: str) -> None:
        raise OSError(30, "Read-only file system")

    def refuse(number: int, command: Sequence[str]) -> Result | None:
        if not apache.judges(command):
            return None
        patch.setattr(os, "replace", fail)
        return Result(1, "", "no")

    apache.before = refuse
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ApplyError) as error:
        change(apache)
    assert error.value.rolled_back is False
    assert "not everything could be put back" in str(error.value)
    assert f"{apache.document_root}/server.tld/mail/config-v1.1.xml: Read-only file system" in str(error.value)


def test_an_apache_that_cannot_be_brought_back_is_named_until_a_run_can(apache: FakeApache) -> None:
    """It is not taken for one that somebody has stopped, whose next run would say ok."""
    fresh(apache)
    dies(apache)
    apache.before = lambda number, command: Result(1, "", "no") if command == ["apache2ctl", "start"] else None
    for _again in range(2):
        with pytest.raises(ApplyError, match="not everything could be put back: apache2ctl start failed") as error:
            apache.publish()
        assert error.value.rolled_back is False
        assert apache.master is None
    nothing_fails(apache)
    result = apache.publish().result
    assert (result["apache_running"], result["reloaded"], apache.master is None) == (True, True, False)
    assert apache.serves(NAMES[0]) == f"{NAMES[0]}.conf"
    assert not (apache.state / "reload-pending").exists()
    apache.stop()  # and from now on it is somebody else who has
    assert apache.publish(domain="other.tld").result["apache_running"] is False
    assert apache.master is None


def test_an_apache_that_is_gone_is_not_forgotten_by_a_run_that_does_not_reload(apache: FakeApache) -> None:
    fresh(apache)
    dies(apache)
    apache.before = lambda number, command: Result(1, "", "no") if command == ["apache2ctl", "start"] else None
    with pytest.raises(ApplyError):
        apache.publish()
    nothing_fails(apache)
    assert apache.publish(way={"reload": False}).result["apache_running"] is False
    assert apache.publish().result["apache_running"] is True


def test_a_reload_that_is_refused_ends_nothing(apache: FakeApache) -> None:
    """Apache goes on with what it has, and needs neither another reload nor a new start."""
    fresh(apache)
    serving = apache.workers
    fails_to_reload(apache)
    with pytest.raises(ApplyError, match="apache2ctl graceful failed; everything was put back as it was"):
        apache.publish()
    assert apache.workers == serving
    assert [command for command in apache.commands if command[1] in ("start", "graceful")] == [["apache2ctl", "graceful"]]


def test_an_apache_that_serves_is_not_ended_because_it_cannot_be_reloaded_again(apache: FakeApache) -> None:
    """Somebody breaks its configuration behind our reload: what it has read last it goes on with, and that is told."""
    fresh(apache)
    graceful = 0

    def refuse(number: int, command: Sequence[str]) -> Result | None:
        nonlocal graceful
        graceful += command == ["apache2ctl", "graceful"]
        return Result(1, "", "AH00526: Syntax error") if command == ["apache2ctl", "graceful"] and graceful > 1 else None

    apache.before = refuse
    answers_wrongly(apache)
    with pytest.raises(ApplyError, match="Apache goes on with what it read last: apache2ctl graceful failed") as error:
        apache.publish()
    assert error.value.rolled_back is False
    assert apache.master is not None
    assert ["apache2ctl", "start"] not in apache.commands


def test_what_somebody_else_did_meanwhile_is_kept(apache: FakeApache) -> None:
    """An administrator enables a site and a module, and edits a file of ours, while a run is under way that fails."""
    published(apache)
    document = apache.document_root / "server.tld/mail/config-v1.1.xml"

    def meanwhile(number: int, command: Sequence[str]) -> Result | None:
        if not apache.judges(command):
            return None
        apache.available("sites", "admin.conf").write_text("<VirtualHost *:80>\nServerName admin.tld\n</VirtualHost>\n")
        apache.enable("sites", "admin")
        apache.enable("mods", "ext_filter")
        document.write_text("edited")
        return Result(1, "", "no")

    apache.before = meanwhile
    with pytest.raises(ApplyError) as error:
        change(apache)
    assert "admin.conf" in apache.enabled("sites")
    assert "ext_filter.load" in apache.enabled("mods")
    assert document.read_text() == "edited"
    assert f"{document} was changed by somebody else and is left" in str(error.value)


@pytest.mark.parametrize("where", ["a file to write", "a file to remove", "a new file"])
def test_what_somebody_changes_between_survey_and_commit_is_not_overwritten(apache: FakeApache, where: str) -> None:
    published(apache)
    path = {
        "a file to write": apache.document_root / "server.tld/mail/config-v1.1.xml",
        "a file to remove": next(apache.available("conf", "").glob("*.lua")),
        "a new file": apache.available("sites", "autoconfig.other.tld.conf"),
    }[where]
    twin = apache.twin

    def meanwhile(*arguments: t.Any, **options: t.Any) -> t.Any:
        path.write_text("# edited\n")
        return twin(*arguments, **options)

    apache.twin = meanwhile
    with pytest.raises(ApplyError, match="was changed by somebody else while this run worked; everything was put back"):
        change(apache)
    assert path.read_text() == "# edited\n"


# -- the process is killed ----------------------------------------------------------------------------------------------


def without_notes(tree: Tree) -> Tree:
    """Without the notes of the system, which nobody reads, and what a kill leaves that hurts nobody."""
    return {
        name: state
        for name, state in tree.items()
        if not name.startswith("var/lib/apache2") and not Path(name).name.startswith(".mail_autoconfig-")
    }


def finished(again: Again, scenario: Scenario) -> Tree:
    """What an undisturbed run leaves."""
    apache = again(scenario)
    scenario.run(apache)
    assert "var/lib/mail_autoconfig/reload-pending" not in apache.tree()
    return apache.tree()


def killed(run: Callable[[], object]) -> bool:
    """Do it in a child process, which a fault may end at once, as SIGKILL does; whether it was."""
    child = os.fork()
    if child == 0:
        try:
            run()
            os._exit(0)
        finally:
            os._exit(2)
    _child, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 9), "the run has failed before it was killed"
    return os.waitstatus_to_exitcode(status) == 9


def kill() -> t.NoReturn:
    os._exit(9)


def finish(apache: FakeApache, scenario: Scenario, expected: Tree) -> None:
    """After a kill Apache starts, the next run finishes the job, and the one after it has nothing to do."""
    assert apache.complaint() == ""
    apache.begin()
    scenario.run(apache)
    assert clean(apache) == without_notes(expected)
    footprint = apache.footprint()
    scenario.run(apache)
    assert apache.footprint() == footprint


def clean(apache: FakeApache) -> Tree:
    """Empty directories of a provider, which a kill may leave, hurt nobody; nor that they are not known as ours."""
    for directory in sorted(apache.document_root.glob("**"), reverse=True):
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
    return without_manifest(without_notes(apache.tree()))


def without_manifest(tree: Tree) -> Tree:
    return {name: state for name, state in tree.items() if not name.endswith("/manifest.json")}


@scenarios
@pytest.mark.parametrize("function", ["replace", "mkdir", "unlink", "symlink", "rmdir"])
def test_at_whichever_step_it_is_killed_the_next_run_finishes_the_job(again: Again, scenario: Scenario, function: str) -> None:
    expected = without_manifest(finished(again, scenario))
    for number in itertools.count():
        apache = again(scenario)

        def run(apache: FakeApache = apache, number: int = number) -> None:
            with fault(function, number, kill):
                scenario.run(apache)

        if not killed(run):
            break
        finish(apache, scenario, expected)


@scenarios
@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
def test_at_whichever_command_it_is_killed_the_next_run_finishes_the_job(
    again: Again, scenario: Scenario, afterwards: bool
) -> None:
    expected = without_manifest(finished(again, scenario))
    for number in itertools.count():
        apache = again(scenario)

        def run(apache: FakeApache = apache, number: int = number) -> None:
            fail_command(apache, number, kill, afterwards)
            scenario.run(apache)

        if not killed(run):
            break
        finish(apache, scenario, expected)


def kill_everywhere(again: Again, scenario: Scenario) -> Iterator[FakeApache]:
    """The host after a kill before each replacement of a file."""
    for number in itertools.count():
        apache = again(scenario)

        def run(apache: FakeApache = apache, number: int = number) -> None:
            with fault("replace", number, kill):
                scenario.run(apache)

        if not killed(run):
            break
        apache.begin()
        yield apache


def test_a_killed_adoption_loses_no_foreign_file(again: Again) -> None:
    for apache in kill_everywhere(again, ADOPTION):
        ADOPTION.run(apache)
        for path in foreign(apache):
            copies = [copy.read_text() for copy in path.parent.glob(f"{path.name}.before-mail_autoconfig*")]
            assert "# theirs\n" in copies


def test_apache_starts_after_a_kill_that_comes_between_a_site_and_its_new_module(again: Again) -> None:
    scenario = Scenario(lambda apache: apache.publish(), lambda apache: apache.publish(php="fpm"))
    assert all(apache.complaint() == "" for apache in kill_everywhere(again, scenario))


def kill_in_rollback(again: Again, scenario: Scenario) -> Iterator[FakeApache]:
    """The host after a kill at every step of putting back."""
    for function in ("replace", "unlink", "symlink"):
        for number in itertools.count():
            apache = again(scenario)

            def run(apache: FakeApache = apache, number: int = number, function: str = function) -> None:
                with contextlib.ExitStack() as stack:

                    def refuse(count: int, command: Sequence[str]) -> Result | None:
                        if not apache.judges(command):
                            return None
                        stack.enter_context(fault(function, number, kill))
                        return Result(1, "", "refused")

                    apache.before = refuse
                    with contextlib.suppress(ApplyError):
                        scenario.run(apache)

            if not killed(run):
                break
            yield apache


@scenarios
def test_after_a_kill_while_everything_is_put_back_apache_starts_and_a_next_run_works(again: Again, scenario: Scenario) -> None:
    for apache in kill_in_rollback(again, scenario):
        assert apache.complaint() == ""
        apache.begin()
        change(apache)
        assert apache.serves("autoconfig.other.tld").endswith("autoconfig.other.tld.conf")


# -- an instance of its own ---------------------------------------------------------------------------------------------


def test_an_instance_of_its_own_is_meant_by_all_commands_of_apache(apache: FakeApache) -> None:
    environments = []
    real = apache.run

    def run(command: Sequence[str], environment: t.Mapping[str, str]) -> Result:
        if command[0] == "apache2ctl":
            environments.append(dict(environment))
        return real(command, environment)

    apache.run = run  # type: ignore[method-assign]
    apache.publish()
    assert len(environments) > 2
    assert all(item == {"LC_ALL": "C", "APACHE_CONFDIR": apache.layout.config_directory} for item in environments)
