"""Pricing: from verdicts to money, one module a step, in the order of evaluation.

    points.py        8   recurrence: points and their multiplier
    payments.py      9   credits and bonuses by rule
    exclusivity.py  10   one event, one consequence
    claims.py       10   what has to be asked for, and was not
    caps.py         11   limits by span, what is carried
    earning_back.py 12   credits returned
    offsets.py      12   amounts that only take off credits, and their bank
    rounding.py     14   money is rounded here and nowhere else
    invoicing.py    15   which invoice, its tax, what is left for the next one

``ledger.py`` holds what they share: the record of a period, which later periods look back at.  ``bases.py`` says
what a percentage is a percentage of; ``windows.py`` decides every condition that looks at results or counts periods.
"""
