"""Errors that are a message to a person, by what that person can do.

    Refused        correct what was handed in (an option, a setting, a document); exit code 2
    Unavailable    give this machine what it lacks (a server, a package, a right), then try again; exit code 3

The command line shows their text and no traceback; anything else that reaches it is a fault of the program and shows one.
"""


class Refused(Exception):  # noqa: N818  (it says what to do)
    """What was handed in cannot be used. The text says what is wrong, with which value, where, and how to repair it."""


class Unavailable(Exception):  # noqa: N818
    """Something this machine should provide is not there. The text says what, and how to provide it."""


def is_lost_connection(error: BaseException) -> bool:
    """Whether the error says no more than that a database has gone away, is going or has not come yet.

    Told by name, so that a command without a database need not import its drivers.
    """
    # A broken pipe is a reader of our output that has seen enough.
    return (isinstance(error, ConnectionError) and not isinstance(error, BrokenPipeError)) or any(
        kind.__module__.partition(".")[0] in _DRIVERS and kind.__name__ in _LOSSES for kind in type(error).__mro__
    )


_DRIVERS = {"asyncpg", "psycopg", "psycopg_pool", "procrastinate"}
_LOSSES = {
    "PostgresConnectionError",
    "CannotConnectNowError",
    "AdminShutdownError",
    "CrashShutdownError",
    "InternalClientError",
    "OperationalError",
    "PoolTimeout",
    "ConnectorException",
}
