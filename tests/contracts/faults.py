"""Single faults of the contract in every_field.yaml, each with the one finding it should give: slips as a buyer makes them."""

# ruff: noqa: E501 - a table is read in rows

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EVERY_FIELD = (Path(__file__).parent / "every_field.yaml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Fault:
    """What is written instead of what, where the finding points, and a word of it."""

    old: str
    new: str
    path: str
    says: str
    severity: str = "error"
    beside: str = ""
    """What stands where the finding points, if that is another line."""

    @property
    def start(self) -> int:
        """Where it stands in the sound contract."""
        assert EVERY_FIELD.count(self.old) == 1, f"{self.old!r} stands {EVERY_FIELD.count(self.old)} times"
        return EVERY_FIELD.index(self.old)

    @property
    def line(self) -> int:
        """The line of the finding."""
        place = EVERY_FIELD.index(self.beside) if self.beside else self.start
        return EVERY_FIELD.count("\n", 0, place) + 1

    def __str__(self) -> str:
        return f"{self.path} {self.new[:40]}"


def spoiled(*faults: Fault) -> str:
    """The contract with all of these faults."""
    text = EVERY_FIELD
    for fault in sorted(faults, key=lambda one: -one.start):
        assert "\n" not in fault.new, "a fault keeps its line, so that the others keep theirs"
        text = text[: fault.start] + fault.new + text[fault.start + len(fault.old) :]
    return text


def overlap(one: Fault, other: Fault) -> bool:
    """Whether both change the same piece of text."""
    return one.start < other.start + len(other.old) and other.start < one.start + len(one.old)


K = "$.kpis"
C = "$.money.credits"

FORM = [
    Fault("title: Moderation and support, every clause", "title: 5", "$.title", "is not text"),
    Fault("in_house: true", "in_house: yes", "$.in_house", "not true or false"),
    Fault("signed_on: 2025-12-15", "signed_on: 2025-13-15", "$.signed_on", "is not a day"),
    Fault("calendars: [lisbon-24x7, lisbon-office]", "calendars: [lisbon-24x7, lisbon-office, 7]", "$.calendars[2]", "is not text"),
    Fault("region: Iberia", "reegion: Iberia", "$.scope[0].reegion", "Did you mean `region`"),
    Fault("count: 60", "count: sixty", "$.scope[0].headcount[0].count", "is not a whole number"),
    Fault("  tickets: {}", "  tickets: []", "$.measures.tickets", "is not a mapping"),
    Fault("boundary: more_than", "boundary: over", "$.kpis.accuracy.boundary", "is not one of"),
    Fault("completeness: 80", "completeness: eighty", "$.kpis.accuracy.completeness", "is not a number"),
    Fault("weight: 60", "weight: 6O", "$.kpis.accuracy.weight", "is not a number"),
    Fault("critical: true", "critical: true, and so on", "$.kpis.accuracy.critical", "not true or false"),
    Fault("{title: Backlog, value: {last: open_items}", "{title: Backlog, valeu: {last: open_items}", "$.kpis.backlog.valeu", "mean `value`"),
    Fault("{title: Speed of answer, value", "{value", "$.kpis.speed.title", "is missing"),
    Fault("value: {given: satisfaction}", "value: {given: satisfaction, count: calls}", "$.kpis.survey.value", "given"),
    Fault("percent: 99, histogram", "percent: 990, histogram", "$.kpis.speed.value.percentile.percent", "no percentile 990"),
    Fault("at_most: 33", "at_most: 33, at_least: 2", "$.kpis.quick_hours.value.intervals", "one of them"),
    Fault("{fixed: 120000, per: year}", "{fixed: 120000, measure: invoice, per: year}", "$.money.bases.fee", "a base is one thing"),
    Fault("percent: 12, of: invoice,", "percent: 12, of: [invoice],", "$.money.bases.at_risk.of", "is not text"),
    Fault("pay: {amount: 55,", "pay: {amount: 55, percent: 3,", "$.money.credits[5].pay", "one of them"),
    Fault("{amount: {each: {give: 75}}", "{amount: {each: {give: 75, unit: 0}}", "$.money.credits[3].pay.amount.each.unit", "cannot be counted"),
    Fault("months: [1, 4]", "months: [1, 14]", "$.money.bonuses[0].when.months", "numbered 1 to 12"),
    Fault("rounding: {to: 0.05", "rounding: {too: 0.05", "$.money.rounding.too", "mean `to`"),
    Fault("claim: on_claim", "claim: on demand", "$.money.claim", "is not one of"),
    Fault("cure_days: 31", "cure_days: 31.5", "$.rights[0].cure_days", "is not a whole number"),
    Fault("effect: cancel_money", "effect: cancel_all", "$.relief[0].effect", "is not one of"),
    Fault("severity: critical", "severity: high", "$.escalation.rules[0].severity", "is not one of"),
    Fault("due_days: 8", "due_days: .nan", "$.reports[0].due_days", "is not a whole number"),
    Fault("due: 2026-06-30", "due: 30.06.2026", "$.obligations[0].due", "is not a day"),
    Fault('page: "17"', "page: 17", "$.citations[0].page", "is not text"),
    Fault("customer: Client Trust and Safety", "customer: *client", "$.customer", "alias"),
    Fault("currency: GBP", "currency: [GBP, USD]", "$.currency", "is not text"),
    Fault("{name: gold, at_least: 90", "{name: gold, at_least: 9_0", "$.scoring.standings[0].at_least", "is not a number"),
    Fault("payable_in: this_period", "payable_in: this_period, next", "$.money.payable_in", "is not one of"),
]  # fmt: skip

VALUES = [
    Fault("{rate: 0.21", "{rate: -0.21", "$.money.rates.PLN.rate", "a rate"),
    Fault("tax: {percent: 23", "tax: {percent: -23", "$.money.invoice.tax.percent", "a tax in percent"),
    Fault("starts: next_period, keep: 4", "starts: next_period, keep: -4", "$.money.bonuses[0].offsets.keep", "a number of periods"),
    Fault("notice_days: 45", "notice_days: -45", "$.amendments[0].notice_days", "notice cannot be"),
    Fault("back: 2}", "back: 0}", "$.kpis.area_kpi.value.derived.product[1].back", "1 or more"),
    Fault("anchor_month: 3", "anchor_month: 13", "$.reviewed.anchor_month", "numbered 1 to 12"),
    Fault("in_all: 107, to_one: 66", "in_all: 107, to_one: 660", "$.scoring.allocation.to_one", "a part in percent"),
    Fault("currency: GBP", "currency: Pound", "$.currency", "is no currency"),
    Fault("time_zone: Europe/Lisbon", "time_zone: Europe/Lissabon", "$.time_zone", "is no time zone"),
    Fault("time_zone: Atlantic/Azores", "time_zone: Azores", "$.scope[0].time_zone", "is no time zone"),
    Fault("until: 2029-01-01}", "until: 2025-01-01}", "$.in_force.until", "not after it begins"),
    Fault("sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "sha256: 9f86", "$.executed.sha256", "no SHA-256"),
    Fault("precedence: [table, clause]", "precedence: [table, clause, table]", "$.executed.precedence[2]", "stands twice"),
    Fault("anchor_day: 16", "anchor_day: 31", "$.measured.anchor_day", "31"),
    Fault("dimensions: [workstream, language, channel]", "dimensions: [workstream, language, channel, value]", "$.dimensions[3]", "a column"),
    Fault("vendor_name: Harbour CX", 'vendor_name: " "', "$.vendor_name", "is blank"),
    Fault("country: PT", "country: Portugal", "$.scope[0].country", "is no country"),
    Fault("languages: [pt, es-ES]", "languages: [pt, es-ES, Portuguese!]", "$.scope[0].languages[2]", "no language tag"),
    Fault("languages: [pt, es-ES]", "languages: [pt, es-ES, pt]", "$.scope[0].languages[2]", "stands twice"),
    Fault("link: https://policies.example/handbook", "link: 'javascript:alert(1)'", "$.scope[0].instructions[0].link", "no address"),
    Fault("count: 60", "count: -60", "$.scope[0].headcount[0].count", "a number of people"),
    Fault("excused_above_percent: 115", "excused_above_percent: -115", "$.scope[0].volume.excused_above_percent", "of the forecast"),
    Fault("completeness: 80", "completeness: 180", "$.kpis.accuracy.completeness", "180"),
    Fault("sample: {at_least: 50", "sample: {at_least: -50", "$.kpis.accuracy.sample.at_least", "a number of cases"),
    Fault("sample: {more_than: 12}", "sample: {more_than: -1}", "$.kpis.escaped.sample.more_than", "a number of cases"),
    Fault("decimals: 1,", "decimals: -1,", "$.kpis.accuracy.precision.decimals", "a number of decimals"),
    Fault("repeat: {last: 3", "repeat: {last: 0", "$.kpis.accuracy.repeat.last", "a number of periods"),
    Fault("missed: floor, multiply: 1.5", "missed: floor, multiply: -2", "$.kpis.accuracy.repeat.multiply", "a factor"),
    Fault("weight: 60", "weight: -60", "$.kpis.accuracy.weight", "reward a miss"),
    Fault("each: 1000000", "each: 0", "$.kpis.escaped.value.rate.each", "a number of units"),
    Fault("of: survey, periods: 2", "of: survey, periods: 0", "$.kpis.smooth.value.moving_mean.periods", "a number of periods"),
    Fault("{percent: 85, of: audited}", "{percent: -85, of: audited}", "$.kpis.forecast.levels[0].at.target.percent", "another figure"),
    Fault("cap_score: 61", "cap_score: -61", "$.scoring.gates[0].cap_score", "a score"),
    Fault("last: 4, missed: floor, any_kpi", "last: 0, missed: floor, any_kpi", "$.scoring.deductions[0].by.count.last", "a number of periods"),
    Fault("allowance: {number: 1,", "allowance: {number: -1,", "$.scoring.deductions[0].give.each.allowance.number", "an allowance"),
    Fault("{fixed: 120000, per: year}", "{fixed: -120000, per: year}", "$.money.bases.fee.fixed", "a percentage of"),
    Fault("at_risk: {percent: 12", "at_risk: {percent: -12", "$.money.bases.at_risk.percent", "a percentage of a base"),
    Fault("pay: {percent: 40, of: at_risk", "pay: {percent: -40, of: at_risk", "$.money.credits[0].pay.percent", "the other side"),
    Fault("times: 1.25", "times: 0", "$.money.credits[0].pay.times", "a factor"),
    Fault("at_most: 1300", "at_most: 0", "$.money.credits[2].ladder.rungs[1].at_most", "a limit of money"),
    Fault("ladder: {last: 8", "ladder: {last: -8", "$.money.credits[2].ladder.last", "a number of periods"),
    Fault("amount: 250000", "amount: -250000", "$.money.caps[1].amount", "a limit of money"),
    Fault("rolling: 5", "rolling: 0", "$.money.caps[2].rolling", "a number of periods"),
    Fault("earn_back: [{percent: 50", "earn_back: [{percent: 150", "$.money.earn_back[0].percent", "comes back"),
    Fault("periods: 6,", "periods: 0,", "$.money.earn_back[0].periods", "a run of periods"),
    Fault("except_months: [10, 7]", "except_months: [10, 77]", "$.money.earn_back[0].except_months[1]", "a month"),
    Fault("below: 100, then", "below: 0, then", "$.money.minimum.below", "smaller than"),
    Fault("rounding: {to: 0.05", "rounding: {to: 0", "$.money.rounding.to", "a step of rounding"),
    Fault("claim_within_days: 21", "claim_within_days: -21", "$.money.claim_within_days", "days in which to claim"),
    Fault("to: USD", "to: Dollar", "$.money.conversion.to", "is no currency"),
    Fault("step: 0.3", "step: -0.3", "$.ratchets[0].step", "a step"),
    Fault("at_most_percent_of_gap: 14", "at_most_percent_of_gap: 140", "$.ratchets[0].at_most_percent_of_gap", "the gap"),
    Fault("notice_days: 62", "notice_days: -62", "$.rights[0].notice_days", "a number of days"),
    Fault("{last: 3, in_a_row: 3}", "{last: 3, in_a_row: 0}", "$.rights[1].when.window.in_a_row", "a number of periods"),
    Fault("credit_percent: 18", "credit_percent: 0", "$.rights[4].when.credit_percent", "credits reach"),
    Fault("notice_business_days: 5", "notice_business_days: -5", "$.relief[0].notice_business_days", "a number of days"),
    Fault("clear: {good: 3", "clear: {good: 0", "$.escalation.rules[0].clear.good", "a number of periods"),
    Fault("on: {no_data: 2}", "on: {no_data: 0}", "$.escalation.rules[1].on.no_data", "a number of periods"),
    Fault("acknowledge_within: {days: 1, hours: 4}", "acknowledge_within: {days: -1, hours: 4}",
          "$.escalation.levels[0].acknowledge_within.days", "a number of days"),
    Fault("reopen_within_periods: 2", "reopen_within_periods: -2", "$.escalation.reopen_within_periods", "a number of periods"),
    Fault("to: [client.director]", "to: [director]", "$.escalation.levels[1].to[0]", "names no side"),
    Fault("to: [client.director]", "to: []", "$.escalation.levels[1].to", "nobody is called"),
    Fault("FREQ=WEEKLY;BYDAY=TU", "FREQ=WEEKLY;BYDAY=TUE", "$.forums[0].rrule", "names no weekdays"),
    Fault('at: "10:30"', 'at: "25:30"', "$.forums[0].at", "no time of day"),
    Fault("zone: Europe/Madrid", "zone: Madrid", "$.forums[0].zone", "is no time zone"),
    Fault("chair: client.partner_manager", "chair: partner manager", "$.forums[0].chair", "names no side"),
    Fault("vendor_check_days: 4", "vendor_check_days: -4", "$.reports[0].vendor_check_days", "a number of days"),
    Fault("where: {language: [pt, es]}", "where: {language: []}", "$.kpis.accuracy.levels[2].where.language", "nothing is left"),
    Fault("missed_calls: {title: Calls missed, value: {count: [slow, unplanned, outages]}",
          "missed_calls: {title: Calls missed, value: {count: [slow, unplanned, outages, slow]}", "$.kpis.missed_calls.value.count[3]", "twice"),
    Fault("{name: red}", "{name: gold}", "$.scoring.standings[1].name", "stands twice"),
]  # fmt: skip

NAMES = [
    Fault("credits: [repeated, product]", "credits: [repeated, produce]", "$.money.bases.given.credits[1]", "neither a KPI nor a rule"),
    Fault("offsets: {on: [accuracy]", "offsets: {on: [acuracy]", "$.money.bonuses[0].offsets.on[0]", "neither a KPI nor a rule"),
    Fault("except_bands: [minor]", "except_bands: [miner]", "$.money.earn_back[0].except_bands[0]", "no band"),
    Fault("invoice: {of: invoice, below_zero", "invoice: {of: invoic, below_zero", "$.money.invoice.of", "no base"),
    Fault("kpi: accuracy, site: porto-1, event_id", "kpi: acuracy, site: porto-1, event_id", "$.examples[0].given.claims[0].kpi", "neither a KPI"),
    Fault("take: hours, calendar: lisbon-office}}", "take: hours, calendar: lisbon}}", "$.measures.opening.time.calendar", "no calendar"),
    Fault("across: {of: accuracy", "across: {of: acuracy", "$.kpis.apart.value.across.of", "no KPI"),
    Fault("levels: {accuracy: {target: 86}}", "levels: {acuracy: {target: 86}}", "$.relief[1].levels.acuracy", "no KPI"),
    Fault("levels: {accuracy: {target: 86}}", "levels: {accuracy: {par: 86}}", "$.relief[1].levels.accuracy.par", "no level"),
    Fault("forecast: forecast_items, actual", "forecast: forecast_itms, actual", "$.scope[0].volume.forecast", "Did you mean forecast_items"),
    Fault("hours: lisbon-24x7", "hours: lisbon-24", "$.scope[0].hours", "no calendar"),
    Fault("calendar: lisbon-office, value_percent", "calendar: lisbon-offic, value_percent", "$.measures.outages.events.calendar", "no calendar"),
    Fault("where: {channel: voice}}}", "where: {chanel: voice}}}", "$.measures.outages.events.where.chanel", "no dimension"),
    Fault("for_each: [site, workstream, language]", "for_each: [site, workstream, language, tongue]",
               "$.kpis.accuracy.for_each[3]", "no dimension"),
    Fault("of: strata, otherwise", "of: stratas, otherwise", "$.kpis.accuracy.sample.of", "no measure"),
    Fault("{measure: calls, times: 0.1}", "{measure: call, times: 0.1}", "$.kpis.weighted_hours.value.sum.plus[1].measure", "no measure"),
    Fault("minus: [unplanned]}}", "minus: [planned]}}", "$.kpis.weighted_hours.value.sum.minus[0]", "no measure"),
    Fault("when: {measure: audited", "when: {measure: auditd", "$.kpis.accuracy.levels[3].when.measure", "no measure"),
    Fault("bands: [{name: fine, at_least: target}", "bands: [{name: fine, at_least: taget}", "$.kpis.accuracy.bands[0].at_least", "no level"),
    Fault("[[floor, 10]", "[[flor, 10]", "$.kpis.accuracy.score.line[0][0]", "no level"),
    Fault("missed: floor, multiply: 1.5", "missed: bottom, multiply: 1.5", "$.kpis.accuracy.repeat.missed", "no level"),
    Fault("of: shocks, method", "of: calls, method", "$.kpis.shock.value.percentile.of", "needs single events"),
    Fault("{given: p90_reported}", "{given: calls}", "$.kpis.p90.value.given", "declared as a count"),
    Fault("by: language, volume", "by: languages, volume", "$.kpis.strata_quality.value.stratified.by", "no dimension"),
    Fault("{of: accuracy, level: floor}", "{of: accuracy, level: bottom}", "$.kpis.sites_met.value.share_met.level", "no level"),
    Fault("{best_before: accuracy}", "{best_before: acuracy}", "$.kpis.gain.value.derived.difference[1].best_before", "no KPI"),
    Fault("- {kpi: accuracy, missed: floor, zero: [handling]", "- {kpi: accuracy, missed: floor, zero: [handlng]", "$.scoring.gates[0].zero[0]", "no KPI"),
    Fault("percent: 6, of: tickets", "percent: 6, of: ticket", "$.scoring.deductions[0].give.each.allowance.of", "no measure"),
    Fault("plus: [invoice, licences]", "plus: [invoice, licence]", "$.money.bases.net.plus[1]", "neither a base nor a measure"),
    Fault("minus: [rebates]", "minus: [calls]", "$.money.bases.net.minus[0]", "a base is money"),
    Fault("for: [accuracy], when: {missed: floor", "for: [acuracy], when: {missed: floor", "$.money.credits[0].for[0]", "no KPI"),
    Fault("for: [accuracy], when: {missed: floor", "for: [accuracy], when: {missed: bottom", "$.money.credits[0].when.missed", "no level"),
    Fault("for: handling, unless", "for: handlings, unless", "$.money.credits[1].for", "no KPI"),
    Fault("above: target, counting: full", "above: limit, counting: full", "$.money.credits[1].pay.percent.each.above", "no level"),
    Fault("of: net}}", "of: nett}}", "$.money.credits[1].pay.of", "no base"),
    Fault("for: escaped, ladder", "for: escapes, ladder", "$.money.credits[2].for", "no KPI"),
    Fault("by: {each_event: shocks}", "by: {each_event: calls}", "$.money.credits[3].pay.by.each_event", "not made from events"),
    Fault("share: {of: users_affected, to: users}", "share: {of: users_affectd, to: users}", "$.money.credits[4].pay.share.of", "no measure"),
    Fault("{name: area, measure: area}", "{name: area, measure: aria}", "$.money.credits[5].pay.factors[0].measure", "no measure"),
    Fault("by: {kpi: backlog}", "by: {kpi: backlogs}", "$.money.credits[5].pay.factors[2].by.kpi", "no KPI"),
    Fault("by: {base: fee}", "by: {base: fees}", "$.money.credits[7].pay.by.base", "no base"),
    Fault("{met: target, kpi: backlog}", "{met: target, kpi: backlogg}", "$.money.bonuses[0].when.all[0].kpi", "no KPI"),
    Fault("among: [shocks, commitment]", "among: [shocks, commitments]", "$.money.exclusive[0].among[1]", "neither a KPI nor a rule"),
    Fault("percent: 100, of: at_risk", "percent: 100, of: at_rsk", "$.money.caps[0].of", "no base"),
    Fault("of: at_risk, on: [accuracy]", "of: at_risk, on: [acuracy]", "$.money.caps[0].on[0]", "neither a KPI nor a rule"),
    Fault("strictness: exceeded, for: [handling]", "strictness: exceeded, for: [handing]", "$.money.earn_back[0].for[0]", "no KPI"),
    Fault("periods: 6, level: target", "periods: 6, level: par", "$.money.earn_back[0].level", "no level"),
    Fault("rate: rate, source", "rate: rates, source", "$.money.conversion.rate", "no measure"),
    Fault("{kpi: half_hours, level: target", "{kpi: half_hour, level: target", "$.ratchets[0].kpi", "no KPI"),
    Fault("for_each: [workstream], despite", "for_each: [workstreams], despite", "$.rights[0].for_each[0]", "no dimension"),
    Fault("when: {any_kpi: true, missed: target", "when: {any_kpi: true, missed: tarjet", "$.rights[1].when.missed", "no level of any KPI"),
    Fault("band: [severe]", "band: [sever]", "$.rights[3].when.band[0]", "no band"),
    Fault("credit_percent: 18, of: invoice", "credit_percent: 18, of: invoices", "$.rights[4].when.of", "no base"),
    Fault("agenda: Weekly review", "agenda: Weekly revue", "$.escalation.levels[0].agenda", "no forum"),
    Fault("on: {kpi: accuracy, missed: floor", "on: {kpi: acuracy, missed: floor", "$.escalation.rules[0].on.kpi", "no KPI"),
    Fault("level: stretch}", "level: strech}", "$.escalation.rules[0].clear.level", "no level"),
    Fault('at: "kpis.accuracy.levels[0]"', 'at: "kpis.accuracy.levels[9]"', "$.citations[0].at", "no place"),
    Fault("measure: audited, starts_on", "measure: audits, starts_on", "$.examples[0].given.data[0].measure", "no measure"),
    Fault("site: porto-1, kpi: accuracy, effect", "site: porto-1, kpi: acuracy, effect", "$.examples[0].given.relief[0].kpi", "no KPI"),
    Fault("dimensions: {channel: voice}}]", "dimensions: {chanel: voice}}]", "$.examples[0].given.events[0].dimensions.chanel", "no dimension"),
]  # fmt: skip

TERMS = [
    Fault("within: 9", "within: 5", "$.money.earn_back[0].within", "never complete within"),
    Fault("spread: accumulated_periods", "spread: accumulated_periods, offsets: {}", "$.money.credits[0].offsets", "offsets nothing"),
    Fault("take: minutes, at: each_day, overlap: once", "take: count, at: start, overlap: once", "$.measures.stops.events.overlap", "only time can"),
    Fault("take: minutes, at: each_day, overlap: once", "at: each_day", "$.measures.stops.events.at", "cannot be split"),
    Fault("since: review, by: counts", "since: review, periods: 3, by: counts", "$.kpis.year_to_date.value.moving_mean", "one of them"),
    Fault("of: handling, since: review", "of: survey, since: review", "$.kpis.year_to_date.value.moving_mean.by", "no counts to add"),
    Fault("take: mean, no_volume: 99.5", "take: mean, at_least: 7, no_volume: 99.5", "$.kpis.mean_hours.value.intervals", "meets nothing"),
    Fault("previous: total, back: 2", "previous: total, back: 20", "$.kpis.area_kpi.value.derived.product[1].back", "the contract has 12"),
    Fault("take: percentile, percent: 88", "take: median, percent: 88", "$.kpis.apart.value.across", "percent belongs to"),
    Fault("take: percentile, percent: 88, method: linear}}, for_each: []", "take: spread}}, for_each: [site, workstream, language]", "$.kpis.apart.value.across.of", "one result"),
    Fault("pauses: [waiting, ordered]", "pauses: [waiting, outage]", "$.measures.outages.events.pauses[1]", "its own clock"),
    Fault("better: lower, target: 700", "better: lower, target: 700, judged: at_review", "$.kpis.backlog.judged", "make no last"),
    Fault("better: lower, target: 700", "better: lower, target: 700, part_period: pro_rata", "$.kpis.backlog.part_period", "does not shrink"),
    Fault("better: lower, target: 700", "better: lower, target: 700, missing: previous", "$.kpis.backlog.missing", "nothing is carried", "warning"),
    Fault("reviewed: {each: year", "reviewed: {each: quarter", "$.reviewed.each", "no longer than a quarter"),
    Fault("not_judged, zone: site}", "not_judged}", "$.kpis.strata_quality.zone", "counted by days of"),
    Fault("levels: {accuracy: {target: 86}}", "levels: {accuracy: {target: 99}}", "$.relief[1].levels.accuracy.target", "no easier"),
    Fault(", levels: {accuracy: {target: 86}}", "", "$.relief[1].levels", "does not say to what"),
    Fault("in_all: 107, to_one: 66", "in_all: 97, to_one: 66", "$.scoring.allocation.in_all", "are allotted"),
    Fault("in_all: 160, to_one: 44", "in_all: 160, to_one: 4", "$.money.bases.at_risk.allocation.to_one", "one KPI may have"),
    Fault("renews: EVERY-0", "renews: EVERY-1", "$.renews", "renews itself"),
    Fault("excused_above_percent: 115", "excused_above_percent: 15", "$.scope[0].volume.excused_above_percent", "a part of the forecast", "warning"),
    Fault("until: 2028-07-01", "until: 2026-02-01", "$.scope[0].until", "not after they begin"),
    Fault("p90_reported: {given: true, percentile: true}", "p90_reported: {given: true, percentile: true, part_of: p90_reported}",
               "$.measures.p90_reported.part_of", "a part of itself"),
    Fault("{of: minutes, more_than: 7, at_most: 4000}", "{of: minutes, more_than: 7000, at_most: 4000}",
          "$.measures.outages.events.only[1]", "no event can lie"),
    Fault("open_items: {snapshot: true}", "open_items: {snapshot: true, percentile: true}", "$.measures.open_items.percentile", "no reported value"),
    Fault("{given: true, percentile: true}", "{given: true, percentile: true, part_of: invoice}", "$.measures.p90_reported.part_of", "which is money"),
    Fault("unit: seconds, better: lower, target: 240", "unit: percent, better: lower, target: 240", "$.kpis.handling.unit", "no percentage"),
    Fault("unit: seconds, better: lower, target: 240", "unit: seconds, target: 240", "$.kpis.handling.better", "which way", "warning"),
    Fault("unit: percent, better: inside, levels: [{at: {low: 60, high: 99}}]", "unit: percent, better: inside, levels: [{at: {low: 60}}]",
          "$.kpis.survey.better", "no level high"),
    Fault("{low: 60, high: 99}", "{low: 60, high: 9}", "$.kpis.survey.levels[0].at", "no value lies between"),
    Fault("{floor: 90, target: 93}", "{floor: 95, target: 93}", "$.kpis.accuracy.levels[0].at", "is better than the target"),
    Fault("{floor: 90, target: 93}", "{floor: 93, target: 93}", "$.kpis.accuracy.levels[0].at", "are both 93", "warning"),
    Fault("stretch: 98", "stretch: 93.5", "$.kpis.accuracy.levels[1].at", "is worse than the target"),
    Fault("from: 2027-04-16, at: {floor", "from: 2037-04-16, at: {floor", "$.kpis.accuracy.levels[1].from", "not before the contract's end", "warning"),
    Fault("until: 2027-04-16", "from: 2026-04-17, until: 2026-04-16", "$.kpis.accuracy.levels[0].until", "not after they begin"),
    Fault("where: {language: [pt, es]}, months", "where: {channel: voice}, months", "$.kpis.accuracy.levels[2].where.channel", "never hold"),
    Fault("less_than: {percent: 77, of: forecast_items}", "less_than: 4", "$.kpis.accuracy.levels[3].when.less_than", "at least 20 and less than 4"),
    Fault("where: {workstream: product-moderation}", "where: {workstream: product}", "$.kpis.accuracy.where.workstream", "in the scope"),
    Fault("last: 3, at_least: 2, missed", "last: 3, at_least: 5, missed", "$.kpis.accuracy.repeat.at_least", "can never be"),
    Fault("{name: grave, less_than: target}", "{name: grave, less_than: floor}", "$.kpis.accuracy.bands", "no band holds"),
    Fault("{name: grave, less_than: target}", "{name: grave, at_most: target}", "$.kpis.accuracy.bands[1]", "more than one band"),
    Fault("{name: minor, at_least: floor, less_than: target, give: 2}", "{name: minor, at_least: floor, less_than: target}",
          "$.kpis.accuracy.points.steps[1]", "gives no amount"),
    Fault("bands: [{name: fine, at_least: target}", "bands: [{at_least: target}", "$.kpis.accuracy.bands[0]", "has no name"),
    Fault("[100, 120]]", "[80, 120]]", "$.kpis.accuracy.score.line[2]", "left to right"),
    Fault("at_most: 130, at_least: 3", "at_most: 130, at_least: 133", "$.kpis.accuracy.score.at_least", "at least 133 and at most 130"),
    Fault("handling: {title: Handling time, value: {mean: {of: seconds, per: calls}}", "handling: {title: Handling time, value: {mean: {of: seconds, per: satisfaction}}",
          "$.kpis.handling.value.mean.per", "a reported result"),
    Fault("{measure: calls, times: 0.1}", "{measure: calls, times: 0}", "$.kpis.weighted_hours.value.sum", "counts nothing"),
    Fault("better: lower, target: 700", "better: lower, target: -7", "$.kpis.backlog.target", "can be -7"),
    Fault("target: 97", "target: 197", "$.kpis.strata_quality.target", "no percentage can be 197"),
    Fault("target: 9}", "target: 9, boundary: at_least}", "$.kpis.p90.boundary", "asks for more"),
    Fault("{measure: fast, up_to: 20}, {measure: slow}", "{measure: fast, up_to: 20}, {measure: slow, up_to: 10}",
               "$.kpis.speed.value.percentile.histogram", "do not follow"),
    Fault("of: survey, periods: 2", "of: smooth, periods: 2", "$.kpis.smooth.value", "computed from itself"),
    Fault("of: survey, periods: 2", "of: survey, periods: 44", "$.kpis.smooth.value.moving_mean.periods", "the contract has 12"),
    Fault("quotient: [{measure: calls}, {measure: users}]", "quotient: [{measure: calls}, {number: 0}]",
          "$.kpis.per_user.value.derived.quotient[1].number", "divided by 0"),
    Fault("better: lower, target: 9}", "better: lower, target: 9, weight: 5}", "$.kpis", "add up to 105", "warning", "kpis:\n"),
    Fault("no_volume: not_judged, duty_of: client", "no_volume: not_judged, duty_of: client, weight: 0", "$.kpis.forecast.weight", "the client's duty"),
    Fault("zero: [handling], cap_score: 61, clause", "clause", "$.scoring.gates[0]", "nothing happens"),
    Fault("{name: red}", "{name: red, at_least: 20}", "$.scoring.standings", "a low score has no standing"),
    Fault("{percent: 12, of: invoice,", "{percent: 12, of: at_risk,", "$.money.bases.at_risk", "a share of itself"),
    Fault("at_risk: {percent: 12, of: invoice,", "at_risk: {percent: 12, of: invoice, per: year,", "$.money.bases.at_risk.per", "only a fixed amount"),
    Fault("percent: 40, of: at_risk", "percent: 400, of: at_risk", "$.money.credits[0].pay.percent", "more than all", "warning"),
    Fault("percent: 40, of: at_risk", "percent: 0.04, of: at_risk", "$.money.credits[0].pay.percent", "a tenth of one percent", "warning"),
    Fault("pay: {amount: 600}", "pay: {amount: 0}", "$.money.credits[2].ladder.rungs[0].pay.amount", "pays nothing", "warning"),
    Fault("from: 2026-05-16, until: 2028-03-16", "from: 2028-05-16, until: 2028-03-16", "$.money.credits[0].until", "not after they begin"),
    Fault("rungs: [{pay: {amount: 600}}", "rungs: [{pay: {amount: 600, by: {measure: calls}}}", "$.money.credits[2].ladder.rungs[0].pay.by", "no curve"),
    Fault("ladder: {last: 8", "ladder: {last: 80", "$.money.credits[2].ladder.last", "the contract has 12"),
    Fault("{above: 20, up_to: 100, rate: 3}", "{above: 20, up_to: 90, rate: 3}", "$.money.credits[4].pay.amount.marginal[1].above", "in no tier"),
    Fault("share: {of: users_affected, to: users}", "share: {of: users, to: users}", "$.money.credits[4].pay.share.to", "always the whole"),
    Fault("{number: 0.7}", "{number: 0}", "$.money.credits[5].pay.factors[1].number", "leaves nothing"),
    Fault("by: {base: fee}", "by: {base: fee, total: score}", "$.money.credits[7].pay.by", "read at one thing"),
    Fault("spread: accumulated_periods", "spread: once, ladder: {last: 1, rungs: [{pay: {amount: 1}}]}", "$.money.credits[0].ladder", "both pay and ladder"),
    Fault("among: [accuracy, half_hours]", "among: [accuracy]", "$.money.exclusive[1].among", "excludes nothing"),
    Fault("percent: 100, of: at_risk", "percent: 10, of: at_risk", "$.money.caps[0].percent", "below the smallest credit", "warning"),
    Fault("percent: 100, of: at_risk", "percent: 1000, of: at_risk", "$.money.caps[0].percent", "more than all", "warning"),
    Fault("{rolling: 5, percent", "{rolling: 5, each: life, percent", "$.money.caps[2].each", "for the last 5"),
    Fault("{rolling: 5, percent", "{rolling: 50, percent", "$.money.caps[2].rolling", "the contract has 12", "warning"),
    Fault("periods: 6, level: target, strictness: exceeded, for: [handling], except_months: [10, 7], within: 9,", "periods: 60, for: [handling],", "$.money.earn_back[0].periods", "never ends inside"),
    Fault("claim: on_claim", "claim: automatic", "$.money.claim_within_days", "need no claim", "error", "claim_within_days"),
    Fault("way: step, step: 0.3", "way: step", "$.ratchets[0].step", "none is written"),
    Fault("level: target, periods: 4", "level: target, periods: 44", "$.ratchets[0].periods", "the contract has 12"),
    Fault("{last: 7, at_least: 4}", "{last: 3, at_least: 4}", "$.rights[0].when.window.at_least", "can never be"),
    Fault("{last: 7, at_least: 4}", "{last: 70, at_least: 4}", "$.rights[0].when.window.last", "the contract has 12"),
    Fault("{last: 3, in_a_row: 3}", "{last: 3, in_a_row: 3, at_least: 2}", "$.rights[1].when.window.in_a_row", "counts in one way"),
    Fault("{credited: true}", "{months: [3]}", "$.rights[6].when", "says nothing that could hold"),
    Fault("last: 5, at_least: 2}", "last: 5, at_least: 6}", "$.escalation.rules[0].on.at_least", "can never be"),
    Fault("- {level: 2, to", "- {level: 3, to", "$.escalation.levels", "numbered 1, 3", "error", "levels:\n    - {level: 1"),
    Fault("after: {days: 3, hours: 6, unless: plan_approved}", "agenda: Weekly review", "$.escalation.levels[1].after", "when level 2", "warning"),
    Fault("plan_within: {days: 9}", "plan_within: {days: 0}", "$.escalation.levels[0].plan_within", "no time is given"),
    Fault("vendor_check_days: 4", "vendor_check_days: 40", "$.reports[0].vendor_check_days", "40 days to check", "warning"),
    Fault("until: 2026-05-08", "until: 2026-04-08", "$.examples[0].given.relief[0].until", "not after they begin"),
    Fault("ended_at: 2026-05-02T11:00:00+01:00", "ended_at: 2026-05-01T11:00:00+01:00", "$.examples[0].given.events[0].ended_at", "before it begins"),
    Fault("started_at: 2026-05-02T10:00:00+01:00", "started_at: 2026-05-02T10:00:00", "$.examples[0].given.events[0].started_at", "no offset"),
    Fault("expect: {totals: []}", "expect: {total: []}", "$.examples[0].expect.total", "no part 'total'"),
]  # fmt: skip

FAULTS = [*FORM, *VALUES, *NAMES, *TERMS]
