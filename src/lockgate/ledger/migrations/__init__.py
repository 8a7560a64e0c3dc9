"""The way from each schema to the next; run by `opening` when a ledger is opened, by Alembic.

A version that was released is never edited: ledgers were written with it.
"""
