"""What somebody may see. Every query that is made for a person or a token takes a `Scope`; there is none without."""

from __future__ import annotations

import msgspec

__all__ = ["Scope"]


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Codes of the vendors and sites that may be seen; None stands for all of them, an empty set for none.

    `money` says whether amounts may be seen, `actor` for whom the query is made. What lies outside is not there: it is not
    found, rather than forbidden, so that nobody learns that another vendor's object exists.
    """

    vendors: frozenset[str] | None
    sites: frozenset[str] | None
    money: bool
    actor: int

    @classmethod
    def everything(cls, actor: int) -> Scope:
        return cls(vendors=None, sites=None, money=True, actor=actor)

    @property
    def vendor_codes(self) -> list[str] | None:
        """As a query parameter: NULL where nothing is left out."""
        return None if self.vendors is None else sorted(self.vendors)

    @property
    def site_codes(self) -> list[str] | None:
        return None if self.sites is None else sorted(self.sites)

    def holds(self, *, vendor: str, site: str | None = None) -> bool:
        """Whether an object of that vendor and site may be seen; one of no single site needs the right to see all of them."""
        is_vendor = self.vendors is None or vendor in self.vendors
        return is_vendor and (self.sites is None or site in self.sites)
