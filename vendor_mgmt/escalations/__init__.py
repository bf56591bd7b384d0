"""Escalation: conditions, tickets, plans and their clocks. Pure rules first, then `tables.py` and `queries.py`."""
