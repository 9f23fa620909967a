"""Make SQLite wait for its write lock instead of failing with "database is locked".

oslo.db emits a deferred BEGIN for each session. A transaction that read first and then writes must upgrade its lock,
and when another one wrote in between, SQLite refuses at once, whatever the timeout (SQLITE_BUSY_SNAPSHOT): some
stacks then fail for no reason of their own. So the BEGIN is dropped, and BEGIN IMMEDIATE, which honors the timeout,
is issued before the first write. Reads before it see what is committed, as they would on PostgreSQL or MariaDB.
"""

from sqlalchemy import event
from sqlalchemy.engine import Engine

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "SAVEPOINT", "CREATE", "DROP", "ALTER")


def install():
    """Watch all engines of this process, also those made later."""
    event.listen(Engine, "before_cursor_execute", _begin_before_write, retval=True)


def _begin_before_write(connection, _cursor, statement, parameters, _context, _executemany):
    if connection.dialect.name != "sqlite":
        return statement, parameters
    if statement == "BEGIN":
        return "SELECT 1", ()
    if statement.lstrip()[:10].upper().startswith(WRITES):
        database = connection.connection.dbapi_connection
        if not database.in_transaction:
            database.execute("BEGIN IMMEDIATE")
    return statement, parameters
