"""The command `patrol-gateway`."""

from __future__ import annotations

import asyncio
import logging
import sys
import tomllib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
import uvloop

from gateway import remote, sitefile
from gateway.clock import SYSTEM_CLOCK, Clock
from gateway.ingest.mqtt.broker_url import BrokerUrlError
from gateway.ingest.mqtt.endpoint import EndpointError
from gateway.service import Service, ServiceError, stop_on_signals
from gateway.settings import Settings, SettingsError
from gateway.sitefile.coverage import State, apply, coverage
from gateway.sitefile.standard import Standard, load_standard
from gateway.store.port import StoreError
from gateway.store.sqlite import SqliteStore

T = TypeVar("T")

EXPECTED = (
    ServiceError,
    SettingsError,
    StoreError,
    EndpointError,
    BrokerUrlError,
    sitefile.SiteFileError,
    remote.RemoteError,
)
"""Errors that are told to a person in their own words, without a traceback."""

_FILE = click.Path(path_type=Path, dir_okay=False)
_DEFAULT = Settings()


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run on the fast event loop, and turn what can go wrong into one line for people."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except EXPECTED as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except OSError as error:
        raise click.ClickException(str(error)) from None


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


class _ClockType(click.ParamType[Clock]):
    name = "start,anchor,speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Clock:
        if isinstance(value, Clock):
            return value
        try:
            return Clock.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _read_config(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    """Take settings from a TOML file; the environment and the command line go before it."""
    if value is None:
        return
    try:
        found = tomllib.loads(value.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.BadParameter(f"{value}: {error}") from None
    known = {option.name for option in ctx.command.params if option.name not in (None, "config")}
    if unknown := sorted(set(found) - known):
        raise click.BadParameter(
            f"{value}: unknown settings {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )
    ctx.default_map = found


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="patrol-gateway")
def main() -> None:
    """Judge patrol scans, radio checks and gate events against the duties that are owed."""


@main.command()
@click.option(
    "--config",
    type=_FILE,
    envvar="PATROL_CONFIG",
    show_envvar=True,
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help='A TOML file with these settings: database = "…", sites = ["…"], …',
)
@click.option(
    "--database", envvar="PATROL_DATABASE", show_envvar=True, default=_DEFAULT.database, show_default=True,
    help="Where everything is stored: sqlite:///path.",
)  # fmt: skip
@click.option(
    "--http", envvar="PATROL_HTTP", show_envvar=True, default=_DEFAULT.http, show_default=True,
    help="Where pages and API are served: host:port.",
)  # fmt: skip
@click.option(
    "--broker", envvar="PATROL_BROKER", show_envvar=True, default=_DEFAULT.broker, show_default=True,
    help="embedded://host:port for the own endpoint for devices, or mqtt://user:password@host:1883.",
)  # fmt: skip
@click.option(
    "--sites", envvar="PATROL_SITES", show_envvar=True, multiple=True, type=_FILE,
    help="Site files to load at the first start (in the environment: separated by ':' or ',').",
)  # fmt: skip
@click.option(
    "--data", envvar="PATROL_DATA", show_envvar=True, type=click.Path(path_type=Path, file_okay=False),
    default=_DEFAULT.data, show_default=True, help="A folder for everything else.",
)  # fmt: skip
@click.option(
    "--log-level", envvar="PATROL_LOG_LEVEL", show_envvar=True, default="info", show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]), help="How much is written to standard error.",
)  # fmt: skip
@click.option(
    "--clock", envvar="PATROL_CLOCK", show_envvar=True, type=_ClockType(), default=SYSTEM_CLOCK, hidden=True,
    help="An accelerated clock, for demonstrations.",
)  # fmt: skip
def run(
    database: str, http: str, broker: str, sites: tuple[Path, ...], data: Path, log_level: str, clock: Clock
) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    _log_to_stderr(log_level)
    files = tuple(Path(name) for path in sites for name in str(path).split(",") if name)
    _run(_serve(Settings(database, http, broker, files, data, clock, log_level)))


async def _serve(settings: Settings) -> None:
    # Not above: the web takes half a second to load, and most commands do without.
    from gateway.web.server import WebServer

    stopped = asyncio.Event()
    stop_on_signals(stopped.set)
    host, port = settings.http_address
    async with Service(settings) as service:
        web = WebServer(service, host, port)
        await web.start()
        logging.getLogger("gateway").info("dashboard and API at %s/", web.url)
        try:
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait((stopping, service.running), return_when=asyncio.FIRST_COMPLETED)
            if service.running.done():
                service.running.result()
        finally:
            await web.close()


@main.command()
@click.option(
    "--speed",
    envvar="SPEED",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1, 600),
    help="How much faster than life.",
)
@click.option(
    "--http", default="127.0.0.1:8080", show_default=True, help="Another port is taken when this one is busy."
)
@click.option("--mqtt", "broker", default="embedded://127.0.0.1:1883", show_default=True, help="Likewise.")
@click.option("--seed", type=int, help="Another night of the same kind.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the night here; by default it is gone at the end.",
)
@click.option("--exit-at-end", is_flag=True, help="End with the night, with the score's exit code.")
def demo(
    speed: float, http: str, broker: str, seed: int | None, data: Path | None, exit_at_end: bool
) -> None:
    """Play an accelerated night at a simulated estate, everything on this machine."""
    from gateway.demo import Demo

    _log_to_stderr("warning")
    sys.exit(_run(Demo(speed, http, broker, seed, data, exit_at_end).play()))


@main.command()
@click.option(
    "--database", envvar="PATROL_DATABASE", show_envvar=True, default=_DEFAULT.database, show_default=True
)
def verify(database: str) -> None:
    """Check the hash chain of the records: finds any edit, removal or reordering."""
    path = _existing_database(database)

    async def check() -> int:
        store = await SqliteStore.open(path)
        try:
            commits, faults = await store.verify()
        finally:
            await store.close()
        for fault in faults[:20]:
            click.echo(f"commit {fault.commit}: {fault.what}")
        if faults:
            click.echo(f"The records were changed: {len(faults)} of {commits} commits do not fit the chain.")
            return 1
        click.echo(f"{commits} commits; the chain holds.")
        return 0

    sys.exit(_run(check()))


def _ask(question: Callable[[], T]) -> T:
    """Ask a running service; what can go wrong becomes one line for people."""
    try:
        return question()
    except remote.RemoteError as error:
        raise click.ClickException(str(error)) from None


def _existing_database(url: str) -> Path:
    try:
        path = Settings(database=url).database_path
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if not path.is_file():
        raise click.ClickException(
            f"there is no database {path}; name one with --database or PATROL_DATABASE"
        )
    return path


@main.group()
def site() -> None:
    """Site files: the plan of a site and the duties that are owed there."""


@site.command("check")
@click.argument("file", type=_FILE)
def site_check(file: Path) -> None:
    """Check a site file; exit 1 with file, line and what was expected."""
    plan = _load_site(file)
    click.echo(
        f"{file}: {plan.site}, {len(plan.duties)} duties, {len(plan.routes)} routes, "
        f"{len(plan.checkpoints)} checkpoints, {len(plan.posts)} posts, {len(plan.devices)} devices"
    )


def _load_site(file: Path) -> Any:
    try:
        return sitefile.load(file)
    except (sitefile.SiteFileError, OSError) as error:
        raise click.ClickException(str(error)) from None


_API = click.option(
    "--api", envvar="PATROL_API", show_envvar=True, default="http://127.0.0.1:8080", show_default=True,
    help="A running service.",
)  # fmt: skip


@site.command("import")
@click.argument("file", type=_FILE)
@click.option(
    "--from", "holds_from", help="When it takes effect (2026-12-01T07:00:00+08:00); now if left out."
)
@_API
def site_import(file: Path, holds_from: str | None, api: str) -> None:
    """Give a running service a new version of a site's plan, or a new site."""
    plan = _load_site(file)
    answer = _ask(lambda: remote.put_plan(api, plan.site, file.read_bytes(), holds_from))
    click.echo(f"{plan.site}: version {answer['version']} holds from {answer['holds_from']}")


@site.command("export")
@click.argument("site_id")
@_API
def site_export(site_id: str, api: str) -> None:
    """Print the plan in force of a site of a running service, as a site file."""
    click.echo(_ask(lambda: remote.get_plan(api, site_id)), nl=False)


@main.group()
def standard() -> None:
    """Duty standards: what a set of rules asks for, clause by clause."""


def _load_standard(file: Path) -> Standard:
    try:
        return load_standard(file)
    except (sitefile.SiteFileError, OSError) as error:
        raise click.ClickException(str(error)) from None


@standard.command("check")
@click.argument("standard_file", metavar="STANDARD", type=_FILE)
@click.argument("site_file", metavar="[SITE]", type=_FILE, required=False)
def standard_check(standard_file: Path, site_file: Path | None) -> None:
    """Check a standard; with a site file, tell which clauses its duties meet."""
    rules = _load_standard(standard_file)
    if site_file is None:
        click.echo(f"{standard_file}: {rules.id}, {len(rules.entries)} entries")
        return
    found = coverage(rules, _load_site(site_file))
    for state in State:
        click.echo(f"{state.value}: {sum(each.state is state for each in found)}")
    for each in found:
        duties = f": {', '.join(each.duties)}" if each.duties else ""
        why = f" ({each.why})" if each.why else ""
        click.echo(f"{each.state.value:<8} {each.entry.clause}  {each.entry.id}{duties}{why}")


@standard.command("apply")
@click.argument("standard_file", metavar="STANDARD", type=_FILE)
@click.argument("site_file", metavar="SITE", type=_FILE)
def standard_apply(standard_file: Path, site_file: Path) -> None:
    """Print a site file with the duties added that the standard asks for and the site can owe as it is."""
    rules = _load_standard(standard_file)
    try:
        text = site_file.read_text(encoding="utf-8-sig")
        applied = apply(rules, text, site_file.name)
    except (sitefile.SiteFileError, OSError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(applied.text, nl=False)
    click.echo(f"{len(applied.added)} duties added, {len(applied.by_hand)} to be set up by hand", err=True)


@main.group()
def quarantine() -> None:
    """What was refused at the door, and why."""


@quarantine.command("list")
@click.option("--reason", help="Only this reason.")
@click.option("--limit", default=50, show_default=True)
@_API
def quarantine_list(reason: str | None, limit: int, api: str) -> None:
    """List what a running service has refused, newest first."""
    for entry in _ask(lambda: remote.quarantine(api, reason, limit)):
        click.echo(
            f"{entry['last_at']}  {entry['times']:>6} x  {entry['reason']}: {entry['detail']}  [{entry['topic']}]"
        )


@quarantine.command("replay")
@click.option("--reason", help="Only this reason.")
@_API
def quarantine_replay(reason: str | None, api: str) -> None:
    """Take refused records in again, now that their cause is mended (a tag enrolled, a device added)."""
    answer = _ask(lambda: remote.replay_quarantine(api, reason))
    click.echo(f"{answer['mended']} taken in, {answer['left']} left")


if __name__ == "__main__":
    main()
