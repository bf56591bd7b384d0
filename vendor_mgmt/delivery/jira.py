"""Keeps an issue in Jira for each ticket (REST API, version 3): created once, commented on, moved, and its state read back.

Jira knows no key for creating. Ours is a label made of the ticket: our own row is asked first, then Jira is searched, and only then an
issue is created. Its search lags behind, so after an answer that never came it is left alone for a while before it is searched again.
A comment carries its event as a property, by which it is recognised.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from vendor_mgmt.credential_values import value_of
from vendor_mgmt.credentials import CredentialMissing
from vendor_mgmt.delivery import asking, queries, telling
from vendor_mgmt.delivery.document import Jira
from vendor_mgmt.delivery.outcomes import Later, Outcome, Refused, Sent, Unknown
from vendor_mgmt.delivery.parcel import Parcel, Tools

KIND = "jira"
IS_KEYED = True

SEARCH_LAG = timedelta(seconds=60)
SUMMARY_MAX = 255
DESCRIPTION_MAX = 32_767
EVENT = "vendor-mgmt.event"
NOT_FOUND = 404
TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
NOT_ALLOWED = (401, 403)


class _Failed(Exception):  # noqa: N818 - carries an outcome out of the steps
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


async def send(parcel: Parcel, tools: Tools) -> Outcome:
    """Create the ticket's issue if there is none, say what happened in a comment, move it where a transition is set, read it back."""
    peer: Jira = parcel.peer
    try:
        jira = _Jira(peer, value_of(peer.token, tools.environment), tools)
    except CredentialMissing as error:
        return Later(error=str(error))
    try:
        key, is_new = await _issue(jira, parcel, tools)
        if not is_new:
            await jira.comment(key, parcel)
        state = str(parcel.claimed.payload.get("state", ""))
        status = await jira.move(key, peer.transitions.get(state))
    except _Failed as failed:
        return failed.outcome
    async with tools.transaction() as connection:
        await queries.note_issue(connection, parcel.endpoint, parcel.claimed.stream, key=key, status=status, at=tools.now())
    return Sent()


async def _issue(jira: _Jira, parcel: Parcel, tools: Tools) -> tuple[str, bool]:
    """The ticket's issue, and whether it was created for this very message."""
    stream = parcel.claimed.stream
    async with tools.transaction() as connection:
        known = await queries.issue(connection, parcel.endpoint, stream)
    if known is not None and known.key is not None:
        return known.key, False
    if known is not None and tools.now() - known.begun_at < SEARCH_LAG:
        raise _Failed(Later(error="an issue may have been created just now; its search is asked again later", after=SEARCH_LAG))
    label = label_of(stream)
    found = await jira.search(label)
    if found is not None:
        async with tools.transaction() as connection:
            await queries.note_issue(connection, parcel.endpoint, stream, key=found, status=None, at=tools.now())
        # It may lack this message's comment; one that is there is not written twice.
        return found, False
    async with tools.transaction() as connection:
        await queries.begin_issue(connection, parcel.endpoint, stream, tools.now())
    key = await jira.create(label, parcel)
    async with tools.transaction() as connection:
        await queries.note_issue(connection, parcel.endpoint, stream, key=key, status=None, at=tools.now())
    return key, True


def label_of(stream: str) -> str:
    """The label by which a ticket's issue is found."""
    return f"vendor-mgmt-{telling.identity(stream)}"


def document_of(text: str) -> dict[str, Any]:
    """Plain text in the Atlassian Document Format, a paragraph for each line."""
    lines = [line for line in text[:DESCRIPTION_MAX].split("\n") if line]
    return {
        "type": "doc",
        "version": 1,
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": line}]} for line in lines],
    }


class _Jira:
    """One Jira, asked as one user."""

    def __init__(self, peer: Jira, token: str, tools: Tools) -> None:
        self.peer = peer
        self.auth = httpx.BasicAuth(peer.user, token)
        self.tools = tools

    async def ask(self, method: str, path: str, *, missing: bool = False, **options: Any) -> Any:
        answer = await asking.ask(
            self.tools.client, method, f"{self.peer.url.rstrip('/')}/rest/api/3/{path}", auth=self.auth,
            headers={"accept": "application/json"}, **options,
        )  # fmt: skip
        if isinstance(answer, Later | Refused | Unknown):
            raise _Failed(answer)
        if answer.is_success:
            try:
                return answer.json() if answer.content else None
            except ValueError:
                raise _Failed(Later(error="answered something that is no JSON")) from None
        if missing and answer.status_code == NOT_FOUND:
            return None
        if answer.status_code in TRY_AGAIN or answer.status_code in NOT_ALLOWED:
            # A token that ran out is renewed by a person, and the messages wait for it.
            raise _Failed(asking.later(answer, self.tools.now()))
        raise _Failed(Refused(error=asking.answered(answer)))

    async def search(self, label: str) -> str | None:
        jql = f'project = "{self.peer.project}" AND labels = "{label}" ORDER BY created ASC'
        found = await self.ask("POST", "search/jql", json={"jql": jql, "fields": ["status"], "maxResults": 1})
        issues = found.get("issues", []) if isinstance(found, dict) else []
        return str(issues[0]["key"]) if issues else None

    async def create(self, label: str, parcel: Parcel) -> str:
        told = telling.told(parcel.claimed.payload, base_url=self.tools.base_url)
        fields = {
            "project": {"key": self.peer.project},
            "issuetype": {"name": self.peer.issue_type},
            "summary": told.subject[:SUMMARY_MAX],
            "description": document_of(told.text),
            "labels": [label],
        }
        return str((await self.ask("POST", "issue", json={"fields": fields}))["key"])

    async def comment(self, key: str, parcel: Parcel) -> None:
        event = telling.identity(parcel.claimed.idempotency_key)
        if await self.has_comment(key, event):
            return
        told = telling.told(parcel.claimed.payload, base_url=self.tools.base_url)
        body = {"body": document_of(told.text), "properties": [{"key": EVENT, "value": {"event": event}}]}
        await self.ask("POST", f"issue/{key}/comment", json=body)

    async def has_comment(self, key: str, event: str) -> bool:
        start = 0
        while True:
            page = await self.ask("GET", f"issue/{key}/comment", params={"expand": "properties", "startAt": start, "maxResults": 100})
            comments = page["comments"]
            for comment in comments:
                if any(one.get("key") == EVENT and one.get("value", {}).get("event") == event for one in comment.get("properties", ())):
                    return True
            start += len(comments)
            if not comments or start >= page["total"]:
                return False

    async def move(self, key: str, transition: str | None) -> str | None:
        """Follow the transition if the issue offers it, and return the state the issue then has."""
        if transition is not None:
            offered = await self.ask("GET", f"issue/{key}/transitions")
            if any(one["id"] == transition for one in offered["transitions"]):
                await self.ask("POST", f"issue/{key}/transitions", json={"transition": {"id": transition}})
        found = await self.ask("GET", f"issue/{key}", params={"fields": "status"})
        return str(found["fields"]["status"]["name"])
