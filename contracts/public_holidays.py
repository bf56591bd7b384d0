"""Public holidays of a country, frozen into a calendar version as dates.

The list comes from the library `holidays`, which is corrected with every release. A signed deadline must not move because a
package was upgraded, so a calendar never asks the library: it carries the dates, and says which release they came from.
Only what this module writes into a calendar counts, and a person may override each date.

Weekends come along when a calendar is made for a country, because they change too: Johor moved from Friday and Saturday to
Saturday and Sunday in 2025. The library's `weekend` attribute does not know that (nor that Kedah closes on Friday), so
every date is asked for by itself.
"""

from __future__ import annotations

import importlib.metadata
import itertools
from datetime import date, timedelta

import holidays as library
import msgspec

from contracts.business_time import Calendar, Holiday, HolidaySource, Hours, Override, Season, Span, Week
from contracts.errors import NotFound
from contracts.period import WEEKDAYS, Period

OFFICE_HOURS: Hours = (Span("09:00", "17:00"),)

# The library appends these words to a name, in the language it was asked for; we ask for English where it is spoken.
_UNCERTAIN = ("estimated",)


def freeze(calendar: Calendar, country: str, *, subdivision: str = "", period: Period) -> Calendar:
    """The next version of a calendar, with the public holidays of a country for the dates of `period` in place of its own.

    Overrides, special days and hours stay. Raises `NotFound` for a country or subdivision the library does not know.
    """
    return msgspec.structs.replace(
        calendar,
        version=calendar.version + 1,
        holidays=public_holidays(country, subdivision=subdivision, period=period),
        holiday_source=_source(country, subdivision, period),
    )


def public_holidays(country: str, *, subdivision: str = "", period: Period) -> tuple[Holiday, ...]:
    """The public holidays within `period`, in order; several on one date share an entry."""
    listed = _listed(country, subdivision, period)
    dated = ((on, name) for on, name in sorted(listed.items()) if on in period)
    return tuple(Holiday(on=on, name=name, provisional=any(word in name for word in _UNCERTAIN)) for on, name in dated)


def country_calendar(
    id_: str, time_zone: str, country: str, *, subdivision: str = "", period: Period, hours: Hours = OFFICE_HOURS
) -> Calendar:
    """A first calendar for a site: the country's working week, with the same hours each day, and its public holidays.

    A weekend that changes within the period becomes a season, and a weekend day that is worked to make up for a holiday
    (China) an override with the usual hours.
    """
    listed = _listed(country, subdivision, period)
    weeks = _working_weeks(listed, period, hours)
    *earlier, (_, latest) = weeks
    worked = tuple(
        Override(on=on, hours=hours, reason="worked to make up for a holiday") for on in sorted(listed.weekend_workdays) if on in period
    )
    return Calendar(
        id=id_,
        time_zone=time_zone,
        week=latest,
        seasons=tuple(Season(from_on=span.from_on, until_on=span.until_on, week=week, name="weekend as it was") for span, week in earlier),
        holidays=public_holidays(country, subdivision=subdivision, period=period),
        holiday_source=_source(country, subdivision, period),
        overrides=worked,
    )


def _source(country: str, subdivision: str, period: Period) -> HolidaySource:
    return HolidaySource(
        country=country,
        subdivision=subdivision,
        from_on=period.from_on,
        until_on=period.until_on,
        library=f"holidays {importlib.metadata.version('holidays')}",
    )


def _listed(country: str, subdivision: str, period: Period) -> library.HolidayBase:
    years = range(period.from_on.year, period.last_on.year + 1)
    try:
        known = library.list_supported_countries()
        if country not in known:
            raise NotFound(f"the list of public holidays has no country {country!r}", "Write a code of two letters such as PT, PH or EG.")
        # Names in the country's own language would hide the words by which the library marks an uncertain date.
        english = next((code for code in ("en_US", "en") if code in library.country_holidays(country).supported_languages), None)
        return library.country_holidays(country, subdiv=subdivision or None, years=years, language=english)
    except NotImplementedError:
        codes = ", ".join(known[country]) or "none"
        raise NotFound(f"{country} has no subdivision {subdivision!r}", f"Known: {codes}.") from None


def _working_weeks(listed: library.HolidayBase, period: Period, hours: Hours) -> list[tuple[Period, Week]]:
    """The stretches of time with one weekend each, and the week of each."""
    changes = {
        later
        for weekday in range(7)
        for earlier, later in itertools.pairwise(_dates_of(weekday, period))
        if listed.is_weekend(earlier) != listed.is_weekend(later)
    }
    # Every weekday changes on a date of its own within the same seven days; the change took effect before the first of them.
    starts = [on for on in sorted(changes) if not any(on - timedelta(days=7) < other < on for other in changes)]
    return [(stretch, _week(listed, stretch, hours)) for stretch in period.split_at(starts)]


def _dates_of(weekday: int, period: Period) -> list[date]:
    return [on for on in period.dates() if on.weekday() == weekday]


def _week(listed: library.HolidayBase, stretch: Period, hours: Hours) -> Week:
    # Asked on the last seven dates, by which the change that opened the stretch has reached every weekday.
    last = [stretch.last_on - timedelta(days=n) for n in range(7)]
    return Week(**{WEEKDAYS[on.weekday()]: () if listed.is_weekend(on) else hours for on in last})
