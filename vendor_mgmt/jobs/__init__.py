"""Recurrence, the dispatcher that decides what is due, and the queue that carries work to workers."""
