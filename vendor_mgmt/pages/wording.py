"""Every word that pages say by themselves, by language; figures and their units are worded as on scorecards."""

from __future__ import annotations

from scorecards.wording import Language, Words

_ENGLISH: dict[str, str] = {
    "nav.portfolio": "Portfolio",
}

MESSAGES: dict[Language, dict[str, str]] = {"en": _ENGLISH, "es": _ENGLISH}


class PageWords(Words):
    """The messages of pages, and those of scorecards."""

    __slots__ = ()

    def __init__(self, language: Language) -> None:
        super().__init__(language)
        self._messages = {**self._messages, **MESSAGES[language]}
