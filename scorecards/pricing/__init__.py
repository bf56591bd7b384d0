"""Pricing: from verdicts to money, one module a step, in the order of evaluation.

    points.py        8   recurrence: points and their multiplier
    payments.py      9   credits and bonuses by rule
    exclusivity.py  10   one event, one consequence
    caps.py         11   limits by span, what is carried
    earning_back.py 12   credits returned
    rounding.py     14   money is rounded here and nowhere else

``ledger.py`` holds what they share: the record of a period, which later periods look back at.  ``bases.py`` says
what a percentage is a percentage of; ``windows.py`` decides every condition that looks at results or counts periods.
"""
