"""The command `patrol-gateway`."""

from __future__ import annotations

import asyncio
import getpass
import json
import logging
import sys
import tomllib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
import uvloop

from gateway import remote, replay, retention, sitefile
from gateway.clock import SYSTEM_CLOCK, Clock
from gateway.domain.plan import Plan
from gateway.ingest.mqtt.broker_url import BrokerUrlError
from gateway.ingest.mqtt.endpoint import EndpointError
from gateway.ingest.osdp.keys import KeysError, new_key
from gateway.ingest.tag_keys import TagKeysError, load_tag_keys, write_new_keys
from gateway.instants import parse_instant
from gateway.links import LinksError, load_links, unplanned
from gateway.notify.channels import Channel, ChannelsError, load_channels
from gateway.notify.words import test_message
from gateway.service import Service, ServiceError, stop_on_signals
from gateway.settings import Settings, SettingsError
from gateway.sitefile.coverage import State, apply, coverage
from gateway.sitefile.standard import Standard, load_standard
from gateway.store.backup import BackedUp, back_up, restore
from gateway.store.moving import Moved, move
from gateway.store.opening import open_store, without_password
from gateway.store.port import StoreError

T = TypeVar("T")

EXPECTED = (
    ServiceError,
    SettingsError,
    StoreError,
    EndpointError,
    BrokerUrlError,
    ChannelsError,
    LinksError,
    TagKeysError,
    retention.RetentionError,
    sitefile.SiteFileError,
    remote.RemoteError,
    replay.ReplayError,
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
    help="Where everything is stored: sqlite:///path, or postgresql://user:password@host/database.",
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
    "--channels", envvar="PATROL_CHANNELS", show_envvar=True, type=_FILE,
    help="A TOML file of channels over which people are notified (docs/notifications.md).",
)  # fmt: skip
@click.option(
    "--links", envvar="PATROL_LINKS", show_envvar=True, type=_FILE,
    help="A TOML file of the readers of other makers that this machine reads (docs/devices/README.md).",
)  # fmt: skip
@click.option(
    "--public-url", envvar="PATROL_PUBLIC_URL", show_envvar=True,
    help="Where people reach the pages, for links in notices: https://patrol.example.org.",
)  # fmt: skip
@click.option(
    "--tag-keys", envvar="PATROL_TAG_KEYS", show_envvar=True, type=_FILE,
    help="A TOML file of the keys of SUN tags, that nobody else may read (docs/devices/sun.md).",
)  # fmt: skip
@click.option(
    "--retention", envvar="PATROL_RETENTION", show_envvar=True,
    help="For how many days records are kept, where not as usual: patrol=90,incidents=forever (docs/operations.md).",
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
    database: str,
    http: str,
    broker: str,
    sites: tuple[Path, ...],
    data: Path,
    channels: Path | None,
    links: Path | None,
    public_url: str | None,
    tag_keys: Path | None,
    retention: str | None,
    log_level: str,
    clock: Clock,
) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    _log_to_stderr(log_level)
    files = tuple(Path(name) for path in sites for name in str(path).split(",") if name)
    settings = Settings(
        database,
        http,
        broker,
        files,
        data,
        clock,
        log_level,
        channels=channels,
        links=links,
        public_url=public_url or "",
        tag_keys=tag_keys,
        retention=retention or "",
    )
    _run(_serve(settings))


def _doctor(**given: Any) -> None:
    # Not above: no other command needs it.
    from gateway import doctor

    files = tuple(Path(name) for path in given.pop("sites") for name in str(path).split(",") if name)
    settings = Settings(sites=files, **{name: value for name, value in given.items() if value is not None})
    found = _run(doctor.examine(settings))
    for line in doctor.lines(found):
        click.echo(line)
    sys.exit(1 if any(each.wrong for each in found) else 0)


main.add_command(
    click.Command(
        "doctor",
        params=run.params,
        callback=_doctor,
        help="Find what is wrong with the settings of `run` and with this machine; exit 1 when something is. "
        "Run it with the settings and as the user of the service. Nothing is changed.",
    )
)


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

    async def check() -> int:
        store = await open_store(database, existing=True)
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


@main.command("decode")
@click.argument("protocol")
@click.argument("data")
def decode_command(protocol: str, data: str) -> None:
    """Print what DATA of a reader's PROTOCOL says: one JSON object on a line for each reading.

    DATA is hex or text, whatever the protocol has; `-` reads it from standard input. Exit 1 and `error: …` when it is
    not what the protocol says; exit 2 when there is no such protocol, and a list of those that there are.
    """
    # Not above: most commands do without the protocols and what they load.
    from gateway.decode import UnknownProtocolError, decoded
    from gateway.ingest.devices.reading import DecodeError

    try:
        given = sys.stdin.buffer.read().decode("utf-8", "surrogateescape") if data == "-" else data
        for line in decoded(protocol, given):
            click.echo(line)
    except (DecodeError, UnknownProtocolError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1 if isinstance(error, DecodeError) else 2)


def _instant(ctx: click.Context, param: click.Parameter, value: str) -> int:
    try:
        return parse_instant(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@main.command("replay")
@click.option("--site", "site_id", help="Only this site; all sites of the database if left out.")
@click.option(
    "--plan", "plan_file", type=_FILE, help="Judge by this site file, as though it had always held."
)
@click.option(
    "--from", "start", required=True, callback=_instant,
    help="What opened from then on (2026-11-23T19:00:00+08:00) …",
)  # fmt: skip
@click.option("--to", "end", required=True, callback=_instant, help="… and before then.")
@click.option(
    "--database", envvar="PATROL_DATABASE", show_envvar=True, default=_DEFAULT.database, show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def replay_command(
    site_id: str | None, plan_file: Path | None, start: int, end: int, database: str, as_json: bool
) -> None:
    """Judge the stored facts again, and print what differs from what was reported.

    Judged as of the last record in the database. Nothing is written; it may run beside the gateway. Exit 0 when
    nothing differs, 1 when something does, 2 when it cannot be done.
    """
    if end <= start:
        raise click.UsageError("--to is not after --from")
    try:
        other = _load_site(plan_file) if plan_file is not None else None
        if other is not None and site_id not in (None, other.site):
            raise click.UsageError(f"{plan_file} is the plan of {other.site}, not of {site_id}")
        site_id = other.site if other is not None else site_id
        found = _run(_replay(database, site_id, start, end, other))
    except click.UsageError:
        raise
    except click.ClickException as error:
        raise click.UsageError(error.message) from None
    if as_json:
        click.echo(json.dumps([replay.replayed_json(each) for each in found], ensure_ascii=False, indent=2))
    else:
        for each in found:
            for line in replay.replayed_lines(each):
                click.echo(line)
    sys.exit(1 if any(each.differences for each in found) else 0)


async def _replay(
    database: str, site_id: str | None, start: int, end: int, other: Plan | None
) -> list[replay.Replayed]:
    store = await open_store(database, existing=True)
    try:
        sites = [site_id] if site_id is not None else sorted({row.site for row in await store.plans()})
        return [await replay.replay(store, each, start, end, other) for each in sites]
    finally:
        await store.close()


def _ask(question: Callable[[], T]) -> T:
    """Ask a running service; what can go wrong becomes one line for people."""
    try:
        return question()
    except remote.RemoteError as error:
        raise click.ClickException(str(error)) from None


@main.group()
def store() -> None:
    """Where everything is stored."""


@store.command("move")
@click.option(
    "--from", "source", envvar="PATROL_DATABASE", show_envvar=True, default=_DEFAULT.database, show_default=True,
    help="Where everything is now.",
)  # fmt: skip
@click.option("--to", "target", required=True, help="An empty database: postgresql://… or sqlite:///….")
def store_move(source: str, target: str) -> None:
    """Copy everything into another database, and check that it is all there and the same.

    Stop the gateway before, and start it with the new PATROL_DATABASE afterwards. A move that was cut off has left
    nothing in the target: run it again. The source is left as it is.
    """
    moved = _run(_move(source, target))
    click.echo(f"{sum(moved.rows.values())} rows, {moved.commits} commits with the same hashes.")
    if moved.faults:
        click.echo(f"{len(moved.faults)} of them do not fit the chain, as in the source: see `verify`.")
    click.echo(f"Now set PATROL_DATABASE={without_password(target)} and start the gateway.")


def _told(table: str, rows: int) -> None:
    if rows % 100_000 == 0:
        click.echo(f"{table}: {rows} rows", err=True)


async def _move(source: str, target: str) -> Moved:
    before = await open_store(source, alone=True, existing=True)
    try:
        after = await open_store(target, alone=True)
        try:
            return await move(before, after, _told)
        finally:
            await after.close()
    finally:
        await before.close()


@store.command("backup")
@click.argument("file", type=_FILE)
@click.option(
    "--database", envvar="PATROL_DATABASE", show_envvar=True, default=_DEFAULT.database, show_default=True
)
def store_backup(file: Path, database: str) -> None:
    """Write everything into one new SQLite FILE, and check that it is all there and the same.

    The gateway may run meanwhile. A backup that was cut off has left no FILE. Exit 1, with a FILE, when the records in
    the database do not fit the hash chain.
    """
    done = _run(_back_up(database, file))
    _tell_of(done, file)
    if done.moved.faults:
        raise click.ClickException(
            f"{len(done.moved.faults)} commits do not fit the hash chain, as in the database: see `verify`. "
            "Do not delete the backups from before"
        )


async def _back_up(database: str, file: Path) -> BackedUp:
    source = await open_store(database, existing=True)
    try:
        return await back_up(source, file, _told)
    finally:
        await source.close()


@store.command("restore")
@click.argument("file", type=_FILE)
@click.option(
    "--to", "target", envvar="PATROL_DATABASE", show_envvar=True, required=True,
    help="An empty database: sqlite:///…, or postgresql://….",
)  # fmt: skip
def store_restore(file: Path, target: str) -> None:
    """Fill an empty database from a backup FILE, on this machine or another one, after checking it.

    Nothing is written when FILE does not fit its hash chain, or the database holds anything. Stop the gateway before.
    """
    done = _run(_restore(file, target))
    _tell_of(done, file)
    click.echo(
        f"Now start the gateway with PATROL_DATABASE={without_password(target)}, and then restart the devices."
    )


async def _restore(file: Path, target: str) -> BackedUp:
    after = await open_store(target, alone=True)
    try:
        return await restore(file, after, _told)
    finally:
        await after.close()


@store.command("purge")
@click.option(
    "--database", envvar="PATROL_DATABASE", show_envvar=True, default=_DEFAULT.database, show_default=True
)
@click.option(
    "--retention", "given", envvar="PATROL_RETENTION", show_envvar=True, default="",
    help="For how many days records are kept, where not as usual: patrol=90,incidents=forever.",
)  # fmt: skip
@click.option("--by", help="Who does it, for the record; the user of this machine if left out.")
def store_purge(database: str, given: str, by: str | None) -> None:
    """Remove records whose time is over; the hash chain still holds, and says so.

    The service does it each day by itself. By hand the gateway must be stopped.
    """
    removed = _run(_purge(database, given, by or getpass.getuser()))
    for table, count in sorted(removed.items()):
        click.echo(f"{table}: {count}")
    click.echo(f"{sum(removed.values())} records removed.")


async def _purge(database: str, given: str, by: str) -> dict[str, int]:
    days = retention.parse(given)
    store = await open_store(database, alone=True, existing=True)
    try:
        before = retention.before(days, SYSTEM_CLOCK.now())
        return await store.purge(before, SYSTEM_CLOCK.now, by, "command line")
    finally:
        await store.close()


def _tell_of(done: BackedUp, file: Path) -> None:
    number, hash_ = done.last
    rows = sum(done.moved.rows.values())
    click.echo(
        f"{file}: {rows} rows, {done.moved.commits} commits, checked. Note this elsewhere: {number} {hash_}"
    )


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


def _load_site(file: Path) -> Plan:
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


@site.command("legs")
@click.argument("site_id")
@click.option(
    "--from", "start", help="Only rounds from then on (2026-11-01T00:00:00+08:00); 30 days if left out."
)
@click.option("--to", "end", help="Only rounds until then.")
@_API
def site_legs(site_id: str, start: str | None, end: str | None, api: str) -> None:
    """Print how long the legs of the routes take, as lines of a site file."""
    found = _ask(lambda: remote.legs(api, site_id, start, end))
    for line in sitefile.learnt_legs(found):
        click.echo(line)


@main.group()
def links() -> None:
    """The file of readers of other makers that this machine reads."""


@links.command("check")
@click.argument("file", type=_FILE)
@click.argument("sites", metavar="[SITE]...", type=_FILE, nargs=-1)
def links_check(file: Path, sites: tuple[Path, ...]) -> None:
    """Check a file of links, and list them; exit 1 with what was expected.

    With site files it also tells which devices their plans do not have.
    """
    try:
        found = load_links(file)
    except LinksError as error:
        raise click.ClickException(str(error)) from None
    for line in found.lines:
        for device in line.devices:
            address = "" if device.address is None else f" at {device.address}"
            click.echo(f"{line.port}: {line.protocol}{address}: {device.site}/{device.device}")
    for link in found.mqtt:
        click.echo(f"mqtt {link.name}: {link.protocol}: {link.site}/{link.device}")
    if sites:
        plans = {plan.site: plan.device_by_id for plan in map(_load_site, sites)}
        for problem in unplanned(found, lambda site, device: plans.get(site, {}).get(device)):
            raise click.ClickException(f"{file}: {problem}")


@main.group()
def notify() -> None:
    """Channels over which people are notified."""


def _load_channels(file: Path) -> list[Channel]:
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    try:
        return load_channels(file)
    except ChannelsError as error:
        raise click.ClickException(str(error)) from None


@notify.command("check")
@click.argument("file", type=_FILE)
def notify_check(file: Path) -> None:
    """Check a file of channels, and list them without their secrets; exit 1 with what was expected."""
    channels = _load_channels(file)
    for channel in channels:
        sites = ", ".join(sorted(channel.sites)) if channel.sites is not None else "all sites"
        click.echo(
            f"{channel.name}: {channel.sender.shown}  to {', '.join(sorted(channel.to))}  "
            f"[{sites}; {channel.language}; {channel.min_severity.value} and above]"
        )
    click.echo(f"{file}: {len(channels)} channels")


@notify.command("test")
@click.argument("file", type=_FILE)
@click.option("--channel", "name", help="Only this channel.")
def notify_test(file: Path, name: str | None) -> None:
    """Send one test message over each channel now; exit 1 when one does not arrive."""
    channels = [each for each in _load_channels(file) if name in (None, each.name)]
    if not channels:
        raise click.ClickException(
            f"{file}: there is no channel {name!r}" if name else f"{file}: no channels"
        )
    failed = False
    for channel in channels:
        title, body, key = test_message(channel.language)
        outcome = channel.sender.send(title, body, key)
        failed |= outcome.error is not None
        click.echo(f"{channel.name}: {outcome.error or 'sent'}")
    sys.exit(1 if failed else 0)


@main.group()
def osdp() -> None:
    """Card readers that speak OSDP (docs/devices/osdp.md)."""


@osdp.command("new-key")
@click.option(
    "--file", "path", type=_FILE, required=True, help="The file of keys; it is made if it is not there."
)
@click.argument("name")
def osdp_new_key(path: Path, name: str) -> None:
    """Make a secret key for one reader and add it to the file of keys as NAME."""
    try:
        new_key(path, name)
    except KeysError as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"{path}: the key {name!r} was added; only its owner can read this file. Keep a copy in a safe place."
    )


@main.group()
def tags() -> None:
    """Keys of tags that make a message of their own at each tap (NTAG 424 DNA, SUN)."""


@tags.command("new-keys")
@click.argument("file", type=_FILE)
@click.option(
    "--site", "sites", multiple=True, metavar="SITE", help="Only for tags of this site; may be given again."
)
def tags_new_keys(file: Path, sites: tuple[str, ...]) -> None:
    """Make a file with a new master key that only you may read."""
    try:
        write_new_keys(file, sites)
    except TagKeysError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{file}: a new master key; give its name to the service with PATROL_TAG_KEYS")


@tags.command("check")
@click.argument("file", type=_FILE)
def tags_check(file: Path) -> None:
    """Check a file of keys, and say how many there are, without showing them; exit 1 with what was expected."""
    try:
        keys = load_tag_keys(file)
    except TagKeysError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{file}: {len(keys.masters)} master keys, {len(keys.tags)} tags with keys of their own")


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
