"""All that is particular to PostgreSQL, in one place.

- A write begins with the ledger's lock, an advisory one that ends with the transaction: writers take turns, as they do
  in SQLite. What a writer reads after that is what the last one committed (READ COMMITTED), still true when it writes.
- A read is of one state (REPEATABLE READ) and waits for nobody.
- What was written is on the server's disk when the call returns, also where the server's default is not to wait.
- Who dies inside a transaction and leaves its connection open, as a machine that loses power does, is forgotten by the
  server after half a minute, and its lock with it.
- A connection that broke while it lay idle is replaced without a word. One that breaks under way is an error: whether
  that write was kept is then to be read from the ledger.
- PostgreSQL's errors become ours; no message holds a password.
"""

from datetime import timedelta

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from lockgate.kernel.errors import Broken, Corrupt, Invalid, Unavailable

__all__ = ["PostgresBackend"]

_LOCK = 0x6C6F636B67617465  # `lockgate`; advisory locks are numbers, each database has its own
_SHORTEST_CONNECT = 2  # seconds; libpq takes no less
_IDLE = "30s"
_SECRETS = {"password", "sslpassword", "passfile"}

# Only raised, never lowered: a server that waits for its replicas too goes on doing so.
_DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', true)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)

_RIGHTS = "Let this user own the database, or: GRANT CREATE, USAGE ON SCHEMA public TO {user}."
_RESTORE = "Restore the database from a backup. If nobody touched it, please report this."

# PostgreSQL's code for the error (SQLSTATE), or how it begins: what we raise, what was expected, the way out.
_MEANINGS: dict[str, tuple[type[Broken], str, str]] = {
    "55P03": (Unavailable, "a turn within {patience:g} s", "Another process is writing to it; try again."),
    "TimeoutError": (Unavailable, "a free connection", "Too many threads are using it; try again."),
    "unreachable": (Unavailable, "a server at that address", "Is it running, and is the URL right? Then try again."),
    "28": (
        Unavailable,
        "a user whom it lets in",
        "Put the password in the URL, in PGPASSWORD or in ~/.pgpass, and look at the server's pg_hba.conf.",
    ),
    "3D000": (Unavailable, "a database named {database}", "Make it first: createdb {database}"),
    "42501": (Unavailable, "the right to read and write there", _RIGHTS),
    "25006": (Unavailable, "a server that takes writes", "This one is a replica; name the primary."),
    "42": (Corrupt, "a ledger as Lockgate left it", _RESTORE),
    "23": (Corrupt, "a ledger as Lockgate left it", _RESTORE),
    "XX": (Corrupt, "a sound database", _RESTORE),
    "53100": (Unavailable, "room on the server's disk", "Free some space there, then try again; nothing was written."),
    "53": (Unavailable, "a server with room for one more", "Too many connections or too little memory; try again."),
    "57P03": (Unavailable, "a server that has started", "It is starting or stopping; try again."),
    # A connection that broke, a server that was stopped, a query that was cancelled.
    "": (Unavailable, "a server that answers to the end", "Try again, and read first whether the last write was kept."),
}

# A connection that is refused carries no code, only words, and these in English where the server speaks it.
_WORDS = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "pg_hba.conf": "28000",
    "FATAL:  role ": "28000",
    "FATAL:  database ": "3D000",
    "starting up": "57P03",
    "shutting down": "57P03",
    "too many clients": "53300",
    "connection failed": "unreachable",
    "failed to resolve": "unreachable",
    "connection timeout": "unreachable",
    "invalid connection option": "unreachable",
}


class PostgresBackend:
    """How a ledger is kept in a PostgreSQL database.

    Args:
        url: `postgresql://user:password@host:port/database`; what is left out comes from the environment (PGPASSWORD,
            ~/.pgpass and the like), as for every client of PostgreSQL's.
        patience: how long a write waits for other processes' writes.

    Raises:
        Invalid: the URL names no database.
    """

    def __init__(self, url: URL, patience: timedelta) -> None:
        if not url.database:
            expected, found = "postgresql://user@host/database", url.render_as_string()
            raise Invalid("This URL names no database", expected=expected, found=found)
        self._url = url.set(drivername="postgresql+psycopg")
        self._patience = patience

    def engine(self) -> Engine:
        """Make the engine; a transaction with the option `lockgate_writes` holds the ledger's lock from its beginning.

        Raises:
            Unavailable: the driver is not installed.
        """
        arguments = {
            "connect_timeout": max(_SHORTEST_CONNECT, round(self._patience.total_seconds())),
            "application_name": "lockgate",
            # Milliseconds after which a peer that does not even acknowledge is given up.
            "tcp_user_timeout": 30_000,
        }
        try:
            engine = create_engine(
                self._url,
                pool_pre_ping=True,
                connect_args={name: value for name, value in arguments.items() if name not in self._url.query},
            )
        except ModuleNotFoundError as error:
            what, way_out = f"Cannot use the ledger {self.name}", "pip install 'lockgate[postgres]'"
            raise Unavailable(what, expected="the driver psycopg", found="none", way_out=way_out) from error
        event.listen(engine, "begin", self._begin)
        return engine

    @property
    def name(self) -> str:
        """The URL without its secrets."""
        query = {name: value for name, value in self._url.query.items() if name not in _SECRETS}
        return self._url.set(drivername="postgresql", query=query).render_as_string(hide_password=True)

    def translate(self, error: SQLAlchemyError) -> Broken:
        """Say in our words what PostgreSQL refused."""
        cause = getattr(error, "orig", None) or error
        code = _code(error)
        kind, expected, way_out = next(_MEANINGS[start] for start in _MEANINGS if code.startswith(start))
        known = {
            "patience": self._patience.total_seconds(),
            "database": self._url.database,
            "user": self._url.username or "this user",
        }
        return kind(
            f"Cannot use the ledger {self.name}",
            expected=expected.format(**known),
            # Further lines repeat the statement, or tell of every address that was tried.
            found=f"{str(cause).strip().partition(chr(10))[0]} ({code or type(cause).__name__})",
            way_out=way_out.format(**known),
        )

    def _begin(self, connection: Connection) -> None:
        if not connection.get_execution_options().get("lockgate_writes", False):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return
        # One message to the server. A timeout of zero would mean none.
        milliseconds = max(1, round(self._patience.total_seconds() * 1000))
        connection.exec_driver_sql(
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE;"
            f"SET LOCAL lock_timeout = {milliseconds};"
            f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE}';"
            f"{_DURABLE};"
            f"SELECT pg_advisory_xact_lock({_LOCK})"
        )


def _code(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None)
    if cause is None:
        return type(error).__name__
    code = getattr(cause, "sqlstate", None)
    if code is not None:
        return str(code)
    return next((code for words, code in _WORDS.items() if words in str(cause)), "")
