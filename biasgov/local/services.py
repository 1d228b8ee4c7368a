"""Starting, finding and stopping the two embedded services of one home."""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from biasgov import roles
from biasgov.local import places, postgres, state, valkey
from biasgov.local.errors import LocalServicesError
from biasgov.local.processes import Account, service_account
from biasgov.local.state import ADMIN, VALKEY, State


@dataclass(frozen=True, slots=True)
class Services:
    """Running services and how to reach them. All URLs carry a password, so none is in the ``repr``.

    ``admin_url`` is the cluster's superuser, for set-up only. ``owner_database_url`` signs in as
    ``biasgov_migrator``, which can do nothing before ``SET ROLE biasgov_owner``. ``test_database_url`` is None
    unless the services were started with ``testing=True``.
    """

    home: Path
    admin_url: str = field(repr=False)
    database_url: str = field(repr=False)
    compute_database_url: str = field(repr=False)
    owner_database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    test_database_url: str | None = field(default=None, repr=False)

    def stop(self) -> None:
        """Stop both servers and wait until they are gone."""
        stop(self.home)

    def environment(self) -> dict[str, str]:
        """The variables by which the settings find these services."""
        named = {
            "BIASGOV_HOME": str(self.home),
            "DATABASE_URL": self.database_url,
            "COMPUTE_DATABASE_URL": self.compute_database_url,
            "OWNER_DATABASE_URL": self.owner_database_url,
            "TEST_DATABASE_URL": self.test_database_url,
            "REDIS_URL": self.redis_url,
        }
        return {name: value for name, value in named.items() if value is not None}


def home() -> Path:
    """``BIASGOV_HOME``, or ``.local`` in the checkout."""
    return _absolute(state.default_home())


def start(home: Path | None = None, *, database: str = "biasgov", testing: bool = False) -> Services:
    """Start what does not run yet, prepare roles and ``database``, and say how to reach it all.

    Harmless when repeated, from any process: it attaches to what runs. With ``testing`` the tests' role is made and,
    in a home never used for anything else, durability is given up for speed. Raises LocalServicesError.
    """
    home = _absolute(home or state.default_home())
    account = service_account()
    places.make_home(home, account)
    with state.locked(home):
        known = state.load(home) or _first_state(home, database, account)
        wanted = replace(known, database=database, durable=known.durable or not testing)
        if testing:
            wanted = wanted.with_test_role()
        places.make_place(wanted.place, account)
        wanted = replace(wanted, sockets=places.make_sockets(wanted.place, known.sockets, account))
        if wanted.sockets != known.sockets:
            # Its socket is gone with the directory, so a server that still runs cannot be reached by anybody.
            postgres.stop(_cluster(known, account))
        state.save(home, wanted)
        programs = places.programs(wanted.place, account)
        cluster = _cluster(wanted, account)
        started = postgres.ensure_running(cluster, programs.initdb, programs.postgres)
        if wanted.durable and not known.durable and not started:
            postgres.make_durable(cluster)
        valkey.ensure_running(_store(wanted, account), programs.valkey)
        wanted = _prepare(cluster, wanted)
        state.save(home, wanted)
    return _services(home, wanted)


def running(home: Path | None = None) -> Services | None:
    """The services of ``home`` if both servers run and answer, else None. Changes nothing."""
    home = _absolute(home or state.default_home())
    known = state.load(home)
    if known is None or known.database not in known.prepared:
        return None
    account = service_account()
    cluster, store = _cluster(known, account), _store(known, account)
    if cluster.pid is None or store.pid is None or not valkey.answers(store):
        return None
    return _services(home, known) if postgres.answers(cluster) else None


def stop(home: Path | None = None) -> None:
    """Stop both servers of ``home`` and wait until they are gone; harmless if they do not run."""
    home = _absolute(home or state.default_home())
    if not home.exists():
        return
    account = service_account()
    with state.locked(home):
        known = state.load(home)
        if known is not None:
            valkey.stop(_store(known, account))
            postgres.stop(_cluster(known, account))


def remove(home: Path | None = None) -> None:
    """Stop both servers and delete all their data, but nothing else that is in ``home``."""
    home = _absolute(home or state.default_home())
    stop(home)
    known = state.load(home)
    if known is None:
        return
    with state.locked(home):
        shutil.rmtree(known.place, ignore_errors=True)
        shutil.rmtree(known.sockets, ignore_errors=True)
        state.forget(home)


def create_database(services: Services, name: str, *, template: str | None = None) -> Services:
    """Create a database like the main one (owner, grants), copied from ``template`` if given, and its URLs.

    Nobody may be connected to the template meanwhile. An existing database is kept as it is.
    """
    known = _known(services)
    with _cluster(known, service_account()).connect() as connection:
        roles.prepare_database(connection, database=name, template=template)
    return _services(services.home, replace(known, database=name))


def drop_database(services: Services, name: str) -> None:
    """Drop a database if it exists, ending the sessions in it."""
    with _cluster(_known(services), service_account()).connect() as connection:
        roles.drop_database(connection, database=name)


def _absolute(home: Path) -> Path:
    resolved = home.expanduser().resolve()
    if any(ord(character) < 32 for character in str(resolved)):
        raise LocalServicesError(f"The home {str(resolved)!r} has a control character in its name; use another.")
    return resolved


def _first_state(home: Path, database: str, account: Account | None) -> State:
    place = places.choose_place(home, account)
    first = state.new_state(place, place / "run", database)
    if place.exists():
        valkey.stop(_store(first, account))
        postgres.stop(_cluster(first, account))
        places.set_aside(place)
    return first


def _prepare(cluster: postgres.Cluster, wanted: State) -> State:
    with cluster.connect() as connection:
        complete = wanted.database in wanted.prepared
        if complete and roles.database_exists(connection, wanted.database):
            return wanted
        roles.create_roles(connection, passwords=wanted.passwords, database=wanted.database)
    return replace(wanted, prepared=tuple(sorted({*wanted.prepared, wanted.database})))


def _known(services: Services) -> State:
    known = state.load(services.home)
    if known is None:
        raise LocalServicesError(f"There are no services in {services.home}; start them first.")
    return known


def _cluster(known: State, account: Account | None) -> postgres.Cluster:
    return postgres.Cluster(known.place, known.sockets, account, known.passwords[ADMIN], known.durable)


def _store(known: State, account: Account | None) -> valkey.Store:
    return valkey.Store(known.place, account, known.passwords[VALKEY])


def _services(home: Path, known: State) -> Services:
    def to(role: str, database: str = known.database) -> str:
        return postgres.url(role, known.passwords[role], database, known.sockets)

    return Services(
        home=home,
        admin_url=to(ADMIN, "postgres"),
        database_url=to(roles.WEB),
        compute_database_url=to(roles.COMPUTE),
        owner_database_url=to(roles.MIGRATOR),
        redis_url=valkey.url(_store(known, None)),
        test_database_url=to(roles.TEST) if roles.TEST in known.passwords else None,
    )
