"""Who there is in the example portfolio, what they work on, and the stories planted in their figures.

Everything is dated by month number: months 0 to 13 are the fourteen complete months before the month of `today`, and 14 is
the running month. So the example is always up to date, and a story is always as old as its table says.

`STORIES` is the one list of what was planted. `generating` takes its effects from there, the tests check the generated
counts against its `found`, and `docs/example-portfolio.md` is printed from it (`python -m vendor_mgmt.example.portfolio`).
"""

from __future__ import annotations

import calendar
import re
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from importlib.resources import files
from typing import Literal

from msgspec import Struct

PERSON = "Perpetua Quillfeather"
"""A made-up name that two vendors send along with their figures, as real ones do. Nobody asked for it, so it must be found nowhere."""

MONTHS = 14
"""How many complete months there are; the running month carries this number."""

SEED = "harbour"
"""The seed of the figures that the documentation describes; another one gives other noise, and the same stories."""

WRITTEN_FOR = date(2026, 11, 1)
"""The first day of the running month for which the documents under `documents/` are written, see `document`."""

Workstream = Literal["product-moderation", "content-moderation", "merchant-moderation", "live-stream-moderation", "customer-support"]
Delivery = Literal["http", "csv", "xlsx"]
Kind = Literal[
    "slow decline",
    "sudden collapse",
    "missing feed",
    "over the cap",
    "restated month",
    "recovery",
    "planned outage",
    "frozen metric",
    "tiny site",
    "ramp-up",
    "volume surge",
    "consistently good",
]


class Vendor(Struct, frozen=True, kw_only=True):
    """One vendor, the way its figures reach the customer, and its contracts (the names of their documents)."""

    key: str
    name: str
    delivery: Delivery
    contracts: tuple[str, ...]
    in_house: bool = False


class Site(Struct, frozen=True, kw_only=True):
    """One site. `code` is what the vendor's own systems call it; `weekend` holds weekdays, Monday being 0."""

    key: str
    code: str
    name: str
    vendor: str
    contract: str
    country: str
    time_zone: str
    weekend: tuple[int, int] = (5, 6)


class Work(Struct, frozen=True, kw_only=True):
    """A scope of work: one workstream at one site, with the items each language brings on an ordinary weekday.

    `hourly_rate` is in the smallest unit of the contract's currency (cents, pence, yen) per delivered hour.
    `audits_per_day` is the quality sample of one language on a working day; `ramp_percent` holds the share of the full
    volume in each month from the first, and everything after it runs at 100 percent.
    """

    site: str
    workstream: Workstream
    languages: dict[str, int]
    hourly_rate: int
    audits_per_day: int = 24
    ramp_percent: tuple[int, ...] = ()


class Effect(Struct, frozen=True, kw_only=True):
    """What a story does to one rate: its level in each month, in the rate's unit, on all days or only on some.

    Shares are in millionths, handling and waiting times in milliseconds per item, volume in percent of its forecast.
    """

    rate: str
    by_month: dict[int, int]
    days: tuple[int, int] | None = None
    """Days of the month, half-open: `(10, 13)` is the 10th, 11th and 12th. `None` is the whole month."""


class Ticket(Struct, frozen=True, kw_only=True):
    """The escalation that a story leads to: the closes (by month number) at which it opens and at which the KPI has recovered.

    A ticket that nobody answered has climbed by then, and one above level 1 is closed by people, after its plan has worked.
    """

    kpi: str
    opens_at_close_of: int
    level: int
    """Reached while nobody acknowledges, once the business days of the contract's second level have passed."""
    recovers_at_close_of: int | None = None
    cancelled_by_correction: bool = False


class Found(Struct, frozen=True, kw_only=True):
    """What the product finds in the figures. Months are numbers; a KPI that stands in none of these is unremarkable."""

    missed: dict[str, tuple[int, ...]] = {}
    """KPI to the complete months whose final value misses the target."""
    below_floor: dict[str, tuple[int, ...]] = {}
    no_data: dict[str, tuple[int, ...]] = {}
    not_measured: dict[str, tuple[int, ...]] = {}
    missed_without_relief: dict[str, tuple[int, ...]] = {}
    missed_as_first_delivered: dict[str, tuple[int, ...]] = {}
    stretch: tuple[str, ...] = ()
    """KPIs at or above their stretch level in every complete month."""
    capped: dict[str, tuple[int, ...]] = {}
    """KPI to the months in which its credit exceeds the cap by itself."""
    revised: tuple[int, ...] = ()
    """Months whose scorecard gets a second revision."""
    tickets: tuple[Ticket, ...] = ()
    in_words: str = ""


class Story(Struct, frozen=True, kw_only=True):
    """One planted story: where, when (months `first` to `last`, both inside), what happens, and what should be found."""

    kind: Kind
    site: str
    workstream: Workstream
    kpis: tuple[str, ...]
    first: int
    last: int
    told: str
    found: Found
    effects: tuple[Effect, ...] = ()
    first_delivered: tuple[Effect, ...] = ()
    """What was delivered at first, until the correction on `corrected_on_day` of the following month."""
    corrected_on_day: int = 20
    silent_from_day: int | None = None
    """From this day of `first` on, nothing is delivered at all."""
    frozen_counts: dict[str, int] = {}
    """Measures that show the same number on every day."""


class ReliefClaim(Struct, frozen=True, kw_only=True):
    """A claim that a span (half-open) be left out of one KPI, as the vendor filed it and the customer approved it."""

    site: str
    workstream: Workstream
    kpi: str
    from_: date
    until: date
    cause: str
    effect: str = "drop_span"


VENDORS = (
    Vendor(key="brightquay", name="Brightquay Operations", delivery="http", contracts=("BQ-EU-014", "BQ-AM-021")),
    Vendor(key="saffron-lantern", name="Saffron Lantern Solutions", delivery="http", contracts=("SL-APAC-007",)),
    Vendor(key="nilegate", name="Nilegate Services", delivery="http", contracts=("NG-MENA-003",)),
    Vendor(key="home-team", name="Trust Operations (in-house)", delivery="http", contracts=("IH-DUB-001",), in_house=True),
    Vendor(key="akari-relay", name="Akari Relay", delivery="csv", contracts=("AR-JP-011",)),
    Vendor(key="thornbury-hale", name="Thornbury Hale Customer Care", delivery="xlsx", contracts=("TH-CARE-009",)),
)

SITES = (
    Site(key="lisbon-1", code="BQ-LIS", name="Lisbon Docks", vendor="brightquay", contract="BQ-EU-014",
         country="PT", time_zone="Europe/Lisbon"),
    Site(key="krakow-1", code="BQ-KRK", name="Kraków Zabłocie", vendor="brightquay", contract="BQ-EU-014",
         country="PL", time_zone="Europe/Warsaw"),
    Site(key="bogota-1", code="BQ-BOG", name="Bogotá Salitre", vendor="brightquay", contract="BQ-AM-021",
         country="CO", time_zone="America/Bogota"),
    Site(key="monterrey-1", code="BQ-MTY", name="Monterrey Obispado", vendor="brightquay", contract="BQ-AM-021",
         country="MX", time_zone="America/Monterrey"),
    Site(key="manila-1", code="MNL01", name="Manila Ortigas", vendor="saffron-lantern", contract="SL-APAC-007",
         country="PH", time_zone="Asia/Manila"),
    Site(key="cebu-1", code="CEB01", name="Cebu Lahug", vendor="saffron-lantern", contract="SL-APAC-007",
         country="PH", time_zone="Asia/Manila"),
    Site(key="kuala-lumpur-1", code="KUL01", name="Kuala Lumpur Bangsar", vendor="saffron-lantern", contract="SL-APAC-007",
         country="MY", time_zone="Asia/Kuala_Lumpur"),
    Site(key="cairo-1", code="cairo-maadi", name="Cairo Maadi", vendor="nilegate", contract="NG-MENA-003",
         country="EG", time_zone="Africa/Cairo", weekend=(4, 5)),
    Site(key="amman-1", code="amman-abdali", name="Amman Abdali", vendor="nilegate", contract="NG-MENA-003",
         country="JO", time_zone="Asia/Amman", weekend=(4, 5)),
    Site(key="dublin-1", code="dublin", name="Dublin Grand Canal", vendor="home-team", contract="IH-DUB-001",
         country="IE", time_zone="Europe/Dublin"),
    Site(key="tokyo-1", code="TYO", name="Tokyo Toyosu", vendor="akari-relay", contract="AR-JP-011",
         country="JP", time_zone="Asia/Tokyo"),
    Site(key="fukuoka-1", code="FUK", name="Fukuoka Hakata", vendor="akari-relay", contract="AR-JP-011",
         country="JP", time_zone="Asia/Tokyo"),
    Site(key="belfast-1", code="Belfast", name="Belfast Titanic Quarter", vendor="thornbury-hale", contract="TH-CARE-009",
         country="GB", time_zone="Europe/London"),
    Site(key="cape-town-1", code="Cape Town", name="Cape Town Foreshore", vendor="thornbury-hale", contract="TH-CARE-009",
         country="ZA", time_zone="Africa/Johannesburg"),
)  # fmt: skip

WORK = (
    Work(site="lisbon-1", workstream="product-moderation", languages={"pt": 9400, "es": 8200}, hourly_rate=2450),
    Work(site="lisbon-1", workstream="content-moderation", languages={"pt": 5200, "es": 6100, "fr": 3900}, hourly_rate=2520,
         audits_per_day=60),
    Work(site="krakow-1", workstream="product-moderation", languages={"pl": 7600, "de": 8800}, hourly_rate=2610),
    Work(site="krakow-1", workstream="merchant-moderation", languages={"pl": 620, "cs": 380, "de": 840}, hourly_rate=2780),
    Work(site="bogota-1", workstream="content-moderation", languages={"es": 7800, "pt": 5600}, hourly_rate=1780),
    Work(site="bogota-1", workstream="customer-support", languages={"es": 1350, "en": 540}, hourly_rate=1840),
    Work(site="monterrey-1", workstream="live-stream-moderation", languages={"es": 7200, "en": 3400}, hourly_rate=1960),
    Work(site="manila-1", workstream="product-moderation", languages={"en": 14200, "fil": 6300}, hourly_rate=1240),
    Work(site="manila-1", workstream="customer-support", languages={"en": 1680, "fil": 720}, hourly_rate=1310),
    Work(site="cebu-1", workstream="merchant-moderation", languages={"en": 1150, "fil": 460}, hourly_rate=1270),
    Work(site="kuala-lumpur-1", workstream="content-moderation", languages={"ms": 4100, "en": 5200, "zh": 3800, "ta": 1900},
         hourly_rate=1480),
    Work(site="kuala-lumpur-1", workstream="live-stream-moderation", languages={"ms": 3600, "zh": 4700}, hourly_rate=1520),
    Work(site="cairo-1", workstream="content-moderation", languages={"ar": 8900, "fr": 2700, "en": 3100}, hourly_rate=1310),
    Work(site="cairo-1", workstream="merchant-moderation", languages={"ar": 780, "en": 340}, hourly_rate=1390),
    Work(site="amman-1", workstream="content-moderation", languages={"ar": 4600, "en": 2200}, hourly_rate=1420,
         audits_per_day=40, ramp_percent=(25, 35, 50, 65, 80, 90)),
    Work(site="dublin-1", workstream="merchant-moderation", languages={"en": 420, "de": 310}, hourly_rate=3800),
    Work(site="dublin-1", workstream="content-moderation", languages={"en": 3300, "fr": 1700, "de": 2100}, hourly_rate=3650),
    Work(site="tokyo-1", workstream="live-stream-moderation", languages={"ja": 6800, "ko": 3100}, hourly_rate=4150),
    Work(site="tokyo-1", workstream="product-moderation", languages={"ja": 7100, "en": 2600}, hourly_rate=3980),
    Work(site="fukuoka-1", workstream="live-stream-moderation", languages={"ja": 1400, "ko": 600}, hourly_rate=4150,
         audits_per_day=2),
    Work(site="belfast-1", workstream="customer-support", languages={"en": 1240, "fr": 430, "de": 390}, hourly_rate=2790),
    Work(site="cape-town-1", workstream="customer-support", languages={"en": 1580, "af": 310}, hourly_rate=1630),
)  # fmt: skip


class Measure(Struct, frozen=True, kw_only=True):
    """A named count. `part_of` names the count it can never exceed; a snapshot is a level at the end of the day."""

    means: str
    part_of: str | None = None
    snapshot: bool = False
    money: bool = False


MEASURES = {
    "items_due": Measure(means="items whose time limit ended on this day"),
    "items_in_time": Measure(means="of these, decided within the limit", part_of="items_due"),
    "items_handled": Measure(means="items decided"),
    "handling_seconds": Measure(means="seconds spent on the items or contacts handled"),
    "forecast_items": Measure(means="items that the customer forecast for this day"),
    "decisions_audited": Measure(means="decisions looked at again by the quality team"),
    "decisions_correct": Measure(means="of these, found right", part_of="decisions_audited"),
    "actions_sampled": Measure(means="removals and other actions in the sample"),
    "wrong_actions": Measure(means="of these, found wrong", part_of="actions_sampled"),
    "passes_sampled": Measure(means="items let through, in the sample"),
    "violations_missed": Measure(means="of these, found to violate a policy", part_of="passes_sampled"),
    "appeals_decided": Measure(means="appeals decided"),
    "appeals_overturned": Measure(means="of these, decided for the user", part_of="appeals_decided"),
    "backlog_over": Measure(means="items open beyond their limit at the end of the day", snapshot=True),
    "required_minutes": Measure(means="staffed minutes that the plan required"),
    "delivered_minutes": Measure(means="of these, worked", part_of="required_minutes"),
    "alerts_received": Measure(means="live alerts that reached the queue"),
    "alerts_0_15s": Measure(means="live alerts answered in less than 15 s"),
    "alerts_15_30s": Measure(means="live alerts answered in 15 s or more and less than 30 s"),
    "alerts_30_60s": Measure(means="live alerts answered in 30 s or more and less than 60 s"),
    "alerts_60_120s": Measure(means="live alerts answered in 60 s or more and less than 120 s"),
    "alerts_over_120s": Measure(means="live alerts answered in 120 s or more"),
    "severe_misses": Measure(means="streams of the severest class that went on for more than 120 s"),
    "contacts_offered": Measure(means="contacts that reached the queue"),
    "contacts_answered": Measure(means="of these, answered by a person", part_of="contacts_offered"),
    "contacts_answered_in_threshold": Measure(means="of these, answered within 20 s", part_of="contacts_answered"),
    "contacts_abandoned": Measure(means="contacts given up in the queue", part_of="contacts_offered"),
    "contacts_abandoned_in_threshold": Measure(means="of these, within 20 s", part_of="contacts_abandoned"),
    "contacts_resolved_first": Measure(means="answered contacts solved at the first attempt", part_of="contacts_answered"),
    "wait_seconds": Measure(means="seconds that the answered contacts waited"),
    "forecast_contacts": Measure(means="contacts that the customer forecast for this day"),
    "csat_answers": Measure(means="answers to the satisfaction question"),
    "csat_satisfied": Measure(means="of these, 4 or 5 of 5", part_of="csat_answers"),
    "monthly_invoice": Measure(means="charges of the month, before credits and tax", money=True),
}

QUALITY_KPIS = ("acc", "fp_rate", "leakage", "overturn")

STORIES = (
    Story(
        kind="slow decline", site="lisbon-1", workstream="content-moderation", kpis=("acc",), first=6, last=13,
        told="Decision accuracy wears away month by month after experienced moderators moved to another account.",
        effects=(Effect(rate="acc", by_month={
            6: 970_000, 7: 966_000, 8: 962_000, 9: 959_500, 10: 956_500, 11: 941_000, 12: 936_500, 13: 917_000, 14: 909_000,
        }),),
        found=Found(
            missed={"acc": (11, 12, 13)}, below_floor={"acc": (13,)},
            tickets=(Ticket(kpi="acc", opens_at_close_of=12, level=2),),
            in_words="Target missed in months 11 to 13, floor in month 13; the second miss in three months opens a ticket.",
        ),
    ),
    Story(
        kind="sudden collapse", site="cairo-1", workstream="content-moderation", kpis=("acc", "leakage"), first=13, last=13,
        told="A policy update was misread: accuracy falls by ten points from one month to the next, and violations get through.",
        effects=(
            Effect(rate="acc", by_month={13: 862_000, 14: 871_000}),
            Effect(rate="leakage", by_month={13: 36_000, 14: 33_000}),
        ),
        found=Found(
            missed={"acc": (13,), "leakage": (13,)}, below_floor={"acc": (13,), "leakage": (13,)},
            tickets=(Ticket(kpi="acc", opens_at_close_of=13, level=2), Ticket(kpi="leakage", opens_at_close_of=13, level=2)),
            in_words="Floor missed in month 13 by two KPIs; this contract opens a ticket at the first miss of a floor.",
        ),
    ),
    Story(
        kind="missing feed", site="kuala-lumpur-1", workstream="live-stream-moderation",
        kpis=("live_tat", "acc", "leakage", "overturn", "fill", "severe_misses", "short_minutes"), first=13, last=13, silent_from_day=11,
        told="After a change of the vendor's reporting system nothing arrives from the 11th of month 13 on.",
        found=Found(
            no_data=dict.fromkeys(("live_tat", "acc", "leakage", "overturn", "fill", "severe_misses", "short_minutes"), (13,)),
            tickets=(Ticket(kpi="live_tat", opens_at_close_of=13, level=2),),
            in_words="No data in month 13 for every KPI of the workstream: ten days are too few. One ticket, for the missing data.",
        ),
    ),
    Story(
        kind="over the cap", site="cebu-1", workstream="merchant-moderation", kpis=("tat_sla",), first=12, last=12,
        told="A new review tool stalls for weeks; one merchant review in five is late.",
        effects=(Effect(rate="tat_sla", by_month={12: 803_000, 13: 964_000}),),
        found=Found(
            missed={"tat_sla": (12,)}, below_floor={"tat_sla": (12,)}, capped={"tat_sla": (12,)},
            tickets=(Ticket(kpi="tat_sla", opens_at_close_of=12, level=2),),
            in_words="Floor missed in month 12; the credit of 15 % is cut to the cap of 10 %; the ticket has one good month.",
        ),
    ),
    Story(
        kind="restated month", site="dublin-1", workstream="merchant-moderation", kpis=("tat_sla",), first=10, last=10,
        told="Month 10 was first reported with the wrong clock; the right counts come on the 20th of the month after.",
        first_delivered=(Effect(rate="tat_sla", by_month={10: 884_000}),),
        found=Found(
            missed_as_first_delivered={"tat_sla": (10,)}, revised=(10,),
            tickets=(Ticket(kpi="tat_sla", opens_at_close_of=10, level=2, cancelled_by_correction=True),),
            in_words="Below floor as first delivered, target met as corrected: a second revision, and the ticket is cancelled.",
        ),
    ),
    Story(
        kind="recovery", site="bogota-1", workstream="content-moderation", kpis=("tat_sla", "backlog_over"), first=5, last=8,
        told="Turnaround suffers while a second shift is hired and trained, and is back at its level from month 9.",
        effects=(Effect(rate="tat_sla", by_month={5: 931_000, 6: 918_000, 7: 913_000, 8: 936_000}),),
        found=Found(
            missed={"tat_sla": (5, 6, 7, 8), "backlog_over": (5, 6, 7, 8)},
            tickets=(
                Ticket(kpi="tat_sla", opens_at_close_of=6, level=2, recovers_at_close_of=10),
                Ticket(kpi="backlog_over", opens_at_close_of=6, level=2, recovers_at_close_of=10),
            ),
            in_words="Targets missed in months 5 to 8, late items pile up; tickets open at the second miss and have recovered after "
            "two good months.",
        ),
    ),
    Story(
        kind="planned outage", site="manila-1", workstream="customer-support", kpis=("sl", "aband", "asa"), first=9, last=9,
        told="The customer moves its telephony on the 10th to 12th of month 9, as announced; callers wait and give up.",
        effects=(
            Effect(rate="sl", by_month={9: 100_000}, days=(10, 13)),
            Effect(rate="aband", by_month={9: 270_000}, days=(10, 13)),
            Effect(rate="asa", by_month={9: 210_000}, days=(10, 13)),
        ),
        found=Found(
            missed_without_relief={"sl": (9,), "aband": (9,), "asa": (9,)},
            in_words="An approved relief claim takes three days out of three KPIs; without it all three would miss their target.",
        ),
    ),
    Story(
        kind="frozen metric", site="tokyo-1", workstream="product-moderation", kpis=("acc",), first=12, last=13,
        told="The quality export repeats the same two numbers every day, Sundays included.",
        frozen_counts={"decisions_audited": 24, "decisions_correct": 23},
        found=Found(in_words="The value stands still at 95.83 % and meets its target; a frozen metric is worth a question."),
    ),
    Story(
        kind="tiny site", site="fukuoka-1", workstream="live-stream-moderation", kpis=("acc", "leakage", "overturn"),
        first=0, last=13,
        told="A handful of people; the quality samples of a month never reach the minimum of the contract.",
        found=Found(
            not_measured=dict.fromkeys(("acc", "leakage", "overturn"), tuple(range(MONTHS))),
            in_words="Not measured in any month for the sampled KPIs; the others are judged.",
        ),
    ),
    Story(
        kind="ramp-up", site="amman-1", workstream="content-moderation", kpis=("acc",), first=0, last=5,
        told="A new site: a quarter of the volume at first, accuracy at 90 % and rising.",
        effects=(Effect(rate="acc", by_month={0: 905_000, 1: 917_000, 2: 932_000, 3: 944_000, 4: 956_000, 5: 964_000}),),
        found=Found(in_words="No miss: the levels of the first six months are the ramp of the contract, dated one by one."),
    ),
    Story(
        kind="volume surge", site="monterrey-1", workstream="live-stream-moderation", kpis=("live_tat",), first=9, last=9,
        told="A tournament nobody had forecast brings well over a third more live alerts than planned.",
        effects=(Effect(rate="volume", by_month={9: 138}),),
        found=Found(in_words="Volume at about 138 % of the forecast, above the 115 % of the contract; no KPI is missed."),
    ),
    Story(
        kind="consistently good", site="belfast-1", workstream="customer-support", kpis=("sl", "aband", "csat", "fcr"),
        first=0, last=13,
        told="A settled team with little attrition, in every month well above what was promised.",
        effects=(
            Effect(rate="sl", by_month=dict.fromkeys(range(15), 918_000)),
            Effect(rate="aband", by_month=dict.fromkeys(range(15), 14_000)),
            Effect(rate="asa", by_month=dict.fromkeys(range(15), 11_500)),
            Effect(rate="csat", by_month=dict.fromkeys(range(15), 931_000)),
            Effect(rate="fcr", by_month=dict.fromkeys(range(15), 856_000)),
        ),
        found=Found(
            stretch=("sl", "aband", "csat", "fcr"), in_words="Every month at or beyond stretch: worth a bonus where one is agreed.",
        ),
    ),
    Story(
        kind="consistently good", site="cape-town-1", workstream="customer-support", kpis=("sl", "aband", "csat", "fcr"),
        first=0, last=13,
        told="The sister site holds the same level with twice the volume.",
        effects=(
            Effect(rate="sl", by_month=dict.fromkeys(range(15), 909_000)),
            Effect(rate="aband", by_month=dict.fromkeys(range(15), 16_000)),
            Effect(rate="asa", by_month=dict.fromkeys(range(15), 12_500)),
            Effect(rate="csat", by_month=dict.fromkeys(range(15), 924_000)),
            Effect(rate="fcr", by_month=dict.fromkeys(range(15), 849_000)),
        ),
        found=Found(stretch=("sl", "aband", "csat", "fcr"), in_words="Every month at or beyond stretch, as in Belfast."),
    ),
)  # fmt: skip


def month_after(first: date, months: int) -> date:
    """The first day of the month that lies so many months after (before, if negative) the month of `first`."""
    number = first.year * 12 + first.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def month_start(today: date, month: int) -> date:
    """The first day of a numbered month, as seen on `today`: 14 is the running month, 13 the last complete one."""
    return month_after(today, month - MONTHS)


def vendor(key: str) -> Vendor:
    """The vendor of that key; a `KeyError` that names it, where there is none."""
    for each in VENDORS:
        if each.key == key:
            return each
    raise KeyError(key)


def site(key: str) -> Site:
    """The site of that key; a `KeyError` that names it, where there is none."""
    for each in SITES:
        if each.key == key:
            return each
    raise KeyError(key)


def sites_of(vendor_key: str) -> tuple[Site, ...]:
    return tuple(each for each in SITES if each.vendor == vendor_key)


def stories_at(site_key: str, workstream: str) -> tuple[Story, ...]:
    return tuple(story for story in STORIES if (story.site, story.workstream) == (site_key, workstream))


def relief_claims(today: date) -> tuple[ReliefClaim, ...]:
    """The relief claims that were filed and approved, dated for `today`: one for each KPI that the outage hit."""
    claims = []
    for story in STORIES:
        if story.kind != "planned outage":
            continue
        for effect in story.effects:
            first = month_start(today, story.first)
            begins, ends = effect.days or (1, calendar.monthrange(first.year, first.month)[1] + 1)
            claims.append(
                ReliefClaim(
                    site=story.site,
                    workstream=story.workstream,
                    kpi=effect.rate,
                    from_=first + timedelta(days=begins - 1),
                    until=first + timedelta(days=ends - 1),
                    cause="Move of the customer's telephony, announced six weeks before",
                )
            )
    return tuple(claims)


def document_names(folder: Literal["contracts", "calendars", "sources", "executed"]) -> tuple[str, ...]:
    """The names of the example's documents of one kind, in alphabetical order."""
    found = (entry.name for entry in files(__package__).joinpath("documents", folder).iterdir())
    return tuple(sorted(name for name in found if name.endswith((".yaml", ".txt"))))


def document(folder: Literal["contracts", "calendars", "sources", "executed"], name: str, today: date) -> str:
    """The text of one document, dated for `today`.

    The files are valid as they stand and written for the month of `WRITTEN_FOR`. For another month every date in them
    moves by the same number of whole months, so that a ramp ends, and a story begins, where the table says. The executed
    documents count months instead of naming days, so their text, and its hash, is the same for ever.
    """
    text = files(__package__).joinpath("documents", folder, name).read_text(encoding="utf-8")
    months = (today.year - WRITTEN_FOR.year) * 12 + today.month - WRITTEN_FOR.month
    # Public holidays keep their true days, whatever `today` is.
    return text if months == 0 or folder == "calendars" else _moved(text, months)


_DAY = re.compile(r"\b(20\d\d)-(\d\d)-(\d\d)\b")


def _moved(text: str, months: int) -> str:
    def moved(match: re.Match[str]) -> str:
        year, month, day = (int(part) for part in match.groups())
        first = month_after(date(year, month, 1), months)
        return first.replace(day=min(day, calendar.monthrange(first.year, first.month)[1])).isoformat()

    return _DAY.sub(moved, text)


def source_document(name: str, today: date, *, address: str = "", folder: str = "", as_of: datetime | None = None) -> str:
    """The text of a source document, pointed at a running server (`address`, such as `http://127.0.0.1:8700`) or at the folder
    that holds the drops, and asking, where it can, for the figures as they were known at `as_of`.
    """
    text = document("sources", name, today)
    if address:
        text = text.replace("http://127.0.0.1:8700", address.rstrip("/"))
    if folder:
        text = text.replace("folder: drops/", f"folder: {folder.rstrip('/')}/")
    if as_of is not None:
        text = text.replace("{as_of: latest}", f'{{as_of: "{as_of.isoformat().replace("+00:00", "Z")}"}}')
    return text


def stories_page() -> str:
    """The page `docs/example-portfolio.md`: who there is, and the planted stories with what the product finds in them."""
    return "\n".join(_page_lines()) + "\n"


def _page_lines() -> Iterator[str]:
    yield "# The example portfolio"
    yield ""
    yield "Six made-up vendors with fourteen sites, and fourteen months of daily counts that the project generates from a seed."
    yield "Printed from `vendor_mgmt/example/portfolio.py` by `python -m vendor_mgmt.example.portfolio`; a test compares the two."
    yield ""
    yield "## Vendors, sites and work"
    yield ""
    yield "| Vendor | Delivers by | Site | Country | Time zone | Contract | Workstreams and languages |"
    yield "|---|---|---|---|---|---|---|"
    ways = {"http": "HTTP, JSON pages", "csv": "CSV files in a folder", "xlsx": "workbooks in a folder"}
    for each in SITES:
        owner = vendor(each.vendor)
        work = "; ".join(f"{w.workstream} ({', '.join(w.languages)})" for w in WORK if w.site == each.key)
        yield (
            f"| {owner.name} | {ways[owner.delivery]} | {each.name} (`{each.key}`) | {each.country} | {each.time_zone} "
            f"| {each.contract} | {work} |"
        )
    yield ""
    yield "## Planted stories"
    yield ""
    yield "Months are numbered: 13 is the last complete month, 0 the first; 14 is the running one, and what still goes wrong in"
    yield "month 13 goes on in it. Everything that is not named here stays within what was promised, give or take a month."
    yield ""
    yield "| Story | Site | Workstream | KPI | Months | What happens | What the product finds |"
    yield "|---|---|---|---|---|---|---|"
    for story in STORIES:
        months = f"{story.first}" if story.first == story.last else f"{story.first} to {story.last}"
        yield (
            f"| {story.kind} | {story.site} | {story.workstream} | {', '.join(story.kpis)} | {months} "
            f"| {story.told} | {story.found.in_words} |"
        )
    yield ""
    yield "## Tickets that follow"
    yield ""
    yield "| Site | Workstream | KPI | Opens at the close of month | Level, unacknowledged | Ends |"
    yield "|---|---|---|---|---|---|"
    for story in STORIES:
        for ticket in story.found.tickets:
            if ticket.cancelled_by_correction:
                end = "cancelled by the correction"
            elif ticket.recovers_at_close_of is None:
                end = "still open"
            else:
                end = f"recovered at the close of month {ticket.recovers_at_close_of}"
            yield (f"| {story.site} | {story.workstream} | {ticket.kpi} | {ticket.opens_at_close_of} | {ticket.level} | {end} |")


if __name__ == "__main__":
    sys.stdout.write(stories_page())
