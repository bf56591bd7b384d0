"""Exclusion constraints for Piccolo, which knows UNIQUE and CHECK only."""

from piccolo.constraints import Constraint


class Exclude(Constraint):
    """No two rows may agree on all of `elements`.

    For example, one version of a contract in force on any day:

        one_version_in_force = Exclude(
            "int8range(contract, contract, '[]') WITH &&, daterange(in_force_from, in_force_until, '[)') WITH &&"
        )

    Numbers are written as ranges of one, because comparing them with `=` under GiST would need the extension btree_gist. Half-open
    date ranges let one version begin on the day the other ends. `where` narrows the rule to some rows.

    Breaking it raises `asyncpg.ExclusionViolationError`, which carries the constraint's name. As with Piccolo's own constraints,
    migrations compare by name only: give a changed rule a new name.
    """

    def __init__(self, elements: str, where: str = "", name: str | None = None) -> None:
        self.elements = elements
        self.where = where
        super().__init__(name=name, elements=elements, where=where)

    def serialise_self(self) -> None:
        """Nothing to do: the parameters are text already."""

    @property
    def ddl(self) -> str:
        return f"EXCLUDE USING gist ({self.elements})" + (f" WHERE ({self.where})" if self.where else "")

    def _table_str(self) -> str:
        return f"{self._meta.name} = Exclude({self.elements!r}, where={self.where!r})"
