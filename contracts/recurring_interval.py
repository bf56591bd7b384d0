"""Spans of time that return: maintenance windows, quiet hours, standing exclusions.

A `Calendar` says when a site works. This says "the last three days of the month", "weekdays from 22:00 to 07:00", "Sundays in
the first quarter": every field that is given must agree, a field that is left out agrees with everything.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import msgspec

from contracts.business_time import WHOLE_DAY, Hours, Window
from contracts.errors import CannotCompute, RefusedValue
from contracts.period import WEEKDAYS, UnknownTimeZone, Weekday, local_instant, zone_named

ONE_DAY: Final = timedelta(days=1)


class DaysOfMonth(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The days of a month from `first` to `last`, both included; -1 is the last day of the month. `[-3, -1]`: its last three."""

    first: int
    last: int

    def __post_init__(self) -> None:
        for day in (self.first, self.last):
            if not day or abs(day) > 31:
                message = f"{day} is no day of a month"
                raise RefusedValue(message, "Write 1 to 31, or -1 to -31 counted from the end.")
        if (self.first < 0) == (self.last < 0) and self.last < self.first:
            message = f"the days from {self.first} to {self.last} run backwards"
            raise RefusedValue(message, "Write the earlier day first.")

    def holds(self, on: date) -> bool:
        """Whether a date is one of them. What reaches beyond the month is cut to it; a range wholly beyond it holds nothing."""
        length = monthrange(on.year, on.month)[1]
        first, last = (day if day > 0 else length + 1 + day for day in (self.first, self.last))
        return first <= on.day <= last


class Years(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The years from `first` to `last`, both included."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if self.last < self.first:
            message = f"the years from {self.first} to {self.last} run backwards"
            raise RefusedValue(message, "Write the earlier year first.")


class RecurringInterval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours on the dates that all fields agree on, in one zone. Hours that end the next morning belong to the date they begin on."""

    name: str = ""
    time_zone: str = "UTC"
    times: Hours = WHOLE_DAY
    weekdays: tuple[Weekday, ...] = ()
    days_of_month: tuple[DaysOfMonth, ...] = ()
    months: tuple[int, ...] = ()
    years: tuple[Years, ...] = ()

    def __post_init__(self) -> None:
        try:
            zone_named(self.time_zone)
        except UnknownTimeZone as unknown:
            raise UnknownTimeZone(self.time_zone, field="time_zone") from unknown
        wrong = [month for month in self.months if month not in range(1, 13)]
        if wrong:
            message = f"{wrong[0]} is no month"
            raise RefusedValue(message, "Write months from 1 to 12.", field="months")

    def falls_on(self, on: date) -> bool:
        """Whether it begins on a local date."""
        return (
            (not self.weekdays or WEEKDAYS[on.weekday()] in self.weekdays)
            and (not self.months or on.month in self.months)
            and (not self.days_of_month or any(days.holds(on) for days in self.days_of_month))
            and (not self.years or any(years.first <= on.year <= years.last for years in self.years))
        )

    def windows(self, from_at: datetime, until_at: datetime) -> Iterator[Window]:
        """Its windows (UTC) between two moments, clipped to them; hours that meet over midnight stay two windows."""
        zone = zone_named(self.time_zone)
        on, last = from_at.astimezone(zone).date() - ONE_DAY, until_at.astimezone(zone).date()
        while on <= last:
            if self.falls_on(on):
                midnight = datetime.combine(on, time())
                for span in self.times:
                    opens_at = max(local_instant(midnight + span.opens_after, zone), from_at.astimezone(UTC))
                    closes_at = min(local_instant(midnight + span.closes_after, zone), until_at.astimezone(UTC))
                    if opens_at < closes_at:
                        yield Window(opens_at, closes_at)
            on += ONE_DAY

    def contains(self, at: datetime) -> bool:
        """Whether a moment lies inside. Raises `CannotCompute` for one without an offset."""
        if at.utcoffset() is None:
            message = f"{at.isoformat()} has no offset, so it is no moment"
            raise CannotCompute(message, f"Write for example {at.isoformat()}Z.")
        at = at.astimezone(UTC)
        return any(self.windows(at, at + timedelta(microseconds=1)))
