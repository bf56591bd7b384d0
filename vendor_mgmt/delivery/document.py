"""The delivery document: who stands behind a role, and through which peers messages leave.

A new channel is a tagged Struct here, added to `Peer`, and a module beside this one with `KIND`, `IS_KEYED` and `send`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contracts.errors import RefusedValue
from vendor_mgmt.credentials import Secret

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
Text = Annotated[str, Meta(min_length=1)]
Role = Annotated[str, Meta(pattern=r"^(vendor|client)\.[a-z][a-z0-9_]*$")]


class Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mail server that messages to persons are handed to."""

    host: Text
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` begins in the open and insists on encryption; `none` is for a server on the same machine."""
    user: Text | None = None
    password: Secret | None = None
    sender: Annotated[str, Meta(pattern=r"^[^\s@<>]+@[^\s@<>]+$")]
    """The address messages come from."""
    sender_name: str = "Vendor management"

    def __post_init__(self) -> None:
        if (self.user is None) != (self.password is None):
            raise RefusedValue("user and password belong together", "Give both, or neither.")


class Holder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The people who hold a role, by their numbers; the closest match counts: site before vendor before everywhere."""

    role: Role
    vendor: Name | None = None
    site: Name | None = None
    people: Annotated[tuple[Annotated[int, Meta(ge=1)], ...], Meta(min_length=1)]
    """Numbers from the table of persons; their names and addresses stand there and nowhere else."""

    def __post_init__(self) -> None:
        if self.role.startswith("vendor.") and self.vendor is None:
            raise RefusedValue(f"{self.role} is a role at some vendor, and none is named", "Name the vendor.", field="vendor")


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="webhook"):
    """Standard Webhooks 1.0: signed, with an identity that stays the same however often it is sent."""

    url: Text
    secrets: Annotated[tuple[Secret, ...], Meta(min_length=1, max_length=3)]
    """The signing secrets that are live (`whsec_…`), the newest first; two while receivers change over."""


class Slack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="slack"):
    """An incoming webhook as Slack has it, and others that understand the same."""

    url: Secret
    """The address is the credential."""


class Jira(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="jira"):
    """One issue for each ticket."""

    url: Text
    """Such as https://example.atlassian.net."""
    user: Text
    token: Secret
    project: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]+$")]
    issue_type: Text = "Task"
    transitions: dict[str, Annotated[str, Meta(pattern=r"^[0-9]+$")]] = {}
    """For our states (`closed`, `in_progress` …) the number of the transition that follows there; its name depends on the language."""


Peer = Webhook | Slack | Jira


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine that is told what the persons of one side are told."""

    name: Name
    of: Literal["client", "vendor"] = "client"
    """Whose edition it gets."""
    vendor: Name | None = None
    """Only what is about this vendor."""
    to: Peer

    @property
    def channel(self) -> str:
        """What its kind of peer is called."""
        return str(self.to.__struct_config__.tag)

    def __post_init__(self) -> None:
        if self.of == "vendor" and self.vendor is None:
            raise RefusedValue(f"the endpoint {self.name} is a vendor's, and none is named", "Name the vendor.", field="vendor")


class Delivery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that messages need to leave."""

    mail: Mail | None = None
    holders: tuple[Holder, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()

    def __post_init__(self) -> None:
        names = [one.name for one in self.endpoints]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"the endpoints {', '.join(twice)} are named more than once"
            raise RefusedValue(message, "Give each a name of its own.", field="endpoints")

    def people(self, role: str, *, vendor: str, site: str | None) -> Sequence[int]:
        """Who holds a role for a vendor's site: the closest match, several entries of the same closeness together."""
        found: dict[int, list[int]] = {}
        for one in self.holders:
            if one.role == role and one.vendor in (None, vendor) and one.site in (None, site):
                closeness = 2 * (one.site is not None) + (one.vendor is not None)
                found.setdefault(closeness, []).extend(one.people)
        return list(dict.fromkeys(found[max(found)])) if found else []

    def machines(self, side: str, *, vendor: str) -> list[Endpoint]:
        """The endpoints that are told; never one of a vendor of what the client, or another vendor, is told."""
        return [one for one in self.endpoints if one.of == side and one.vendor in (None, vendor)]
