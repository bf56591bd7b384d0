"""Which days a pull asks for. Pure: days in, days out."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec


class PullWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Half-open days; null: from wherever the source begins."""

    window_from: date | None
    window_until: date


def reread_from(last: date, days: int, first_day: date | None) -> date:
    """Where reading begins so that the last `days` before `last` are read again, though never before the source's first day."""
    start = last - timedelta(days=days)
    return start if first_day is None else max(start, first_day)


def next_window(
    *,
    watermark_on: date | None,
    until_on: date,
    restates_days: int,
    repairs_days: int,
    first_day: date | None,
    oldest_refused_on: date | None,
) -> PullWindow:
    """The window of the next regular pull, up to `until_on` (the first day that is not over).

    It begins `restates_days` before the watermark, or earlier if a row of an earlier day waits in quarantine that is no more than
    `repairs_days` old. Windows leave no gap, because the watermark only moves to the end of a window that was read completely.
    """
    if watermark_on is None:
        # A source that begins in the future is asked for nothing, rather than for a span that ends before it begins.
        return PullWindow(window_from=None if first_day is None else min(first_day, until_on), window_until=until_on)
    start = reread_from(min(watermark_on, until_on), restates_days, first_day)
    if oldest_refused_on is not None:
        start = min(start, max(oldest_refused_on, until_on - timedelta(days=repairs_days)))
    if first_day is not None:
        start = max(start, min(first_day, until_on))
    return PullWindow(window_from=start, window_until=until_on)
