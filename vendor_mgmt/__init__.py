"""The running service: pulls, closes months, writes scorecards and tickets."""
