"""Where Alembic begins. It is given a connection that is already inside the transaction to migrate in.

Alembic loads this file by its path; imported by name, as tools that walk all modules do, it does nothing.
"""

from alembic import context

from lockgate.ledger.schema import metadata

__all__: list[str] = []


def _migrate() -> None:
    # Batches: SQLite can't alter a constraint, Alembic then copies the table.
    context.configure(
        connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
    )
    context.run_migrations()


if __name__ != "lockgate.ledger.migrations.env":
    _migrate()
