"""Which version of a contract holds on which day, and what agreeing a further one does to the others.

A version is a whole text: from its first day on it takes the place of what held before, and the days before keep the version they had. The
versions of a lineage (a contract and those that renew it) never hold on the same day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from contracts.errors import Overlap


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A version and the half-open days on which it holds; `until` none: without end."""

    version: int
    """Its id; 0 for one that is not agreed yet."""
    contract: str
    """The code of its contract."""
    place: int
    """The place of its contract in the chain of renewals: a renewal has a higher one than what it renews."""
    number: int
    """1, 2, 3 … within the contract."""
    from_: date = msgspec.field(name="from")
    until: date | None = None

    def covers(self, on: date) -> bool:
        return self.from_ <= on and (self.until is None or on < self.until)

    def overlaps(self, other: Held) -> bool:
        return (other.until is None or self.from_ < other.until) and (self.until is None or other.from_ < self.until)


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What agreeing a version does to those that hold."""

    kept: list[Held]
    """They hold as before."""
    ended: list[Held]
    """They no longer hold as they did …"""
    left: list[Held]
    """… and this is what is left of them: the days before the new version."""
    new: Held

    @property
    def holding(self) -> list[Held]:
        """What holds afterwards, by day."""
        return sorted([*self.kept, *self.left, self.new], key=lambda one: one.from_)

    @property
    def gap(self) -> tuple[date, date] | None:
        """The half-open days just before the new version on which nothing holds, where something held before them."""
        before = [one.until for one in (*self.kept, *self.left) if one.from_ < self.new.from_ and one.until is not None]
        return (max(before), self.new.from_) if before and max(before) < self.new.from_ else None

    @property
    def shortened(self) -> tuple[date | None, date] | None:
        """The end that the contract had and the earlier one that it has now, where the new version ends before what it replaces."""
        ends = [one.until for one in self.ended if one.contract == self.new.contract]
        if not ends or self.new.until is None or any(one.contract == self.new.contract for one in self.kept if one.from_ > self.new.from_):
            return None
        last = None if None in ends else max(end for end in ends if end is not None)
        return (last, self.new.until) if last is None or self.new.until < last else None


def effect(held: Sequence[Held], new: Held, *, replaces_later: bool = False) -> Effect:
    """What agreeing `new` does to what holds in its lineage.

    Versions of the same contract that begin later are replaced only where that is said: they were agreed, and would silently be lost. A
    renewal takes over from the contract before it on its first day. Raises `Overlap` for a later version that would be lost, for a
    contract of the lineage that would begin inside this one, and for a renewal that this one would run into.
    """
    ended: list[Held] = []
    for one in held:
        if one.contract != new.contract:
            if not one.overlaps(new):
                continue
            if one.place > new.place or one.from_ >= new.from_:
                raise Overlap(
                    f"Contract {one.contract} of the same lineage holds from {one.from_} on",
                    "Amend that contract, or let this one begin when it ends, or end when it begins.",
                )
            ended.append(one)
        elif one.until is None or one.until > new.from_:
            if one.from_ > new.from_ and not replaces_later:
                raise Overlap(
                    f"Version {one.number} of {one.contract} is agreed from {one.from_} on and would no longer hold",
                    "Say that it is replaced as well (--replace-later), or choose a later first day.",
                )
            ended.append(one)
    left = [msgspec.structs.replace(one, until=new.from_) for one in ended if one.from_ < new.from_]
    return Effect(kept=[one for one in held if one not in ended], ended=ended, left=left, new=new)


def held_on(held: Sequence[Held], on: date) -> Held | None:
    """The version that holds on a day, if one does."""
    return next((one for one in held if one.covers(on)), None)
