"""Messages on their way to real peers: a mail server, webhooks, Slack, Jira; what fails, what waits, and what nobody can know."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.vendor_mgmt.delivery import setting
from tests.vendor_mgmt.delivery.peers import HANG_UP, Answer, JiraPeer, Mailbox, Request, answer_json, mail, web
from tests.vendor_mgmt.delivery.setting import Clock, deliver, errors, put, states, told
from vendor_mgmt import outbound
from vendor_mgmt.credentials import Secret
from vendor_mgmt.database import transaction
from vendor_mgmt.delivery import queries, sending, signing
from vendor_mgmt.delivery.document import Delivery
from vendor_mgmt.delivery.jira import label_of

pytestmark = pytest.mark.usefixtures("persons")


@pytest.fixture
async def persons(database: str) -> None:
    await setting.add_persons()


async def states_of(channel: str | None = None) -> set[str]:
    return {state for held in (await states(channel)).values() for state in held}


class Recorder:
    """A web server that keeps what came and gives answers in turn; the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers) or [(204, {}, b"")]
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


# To whom.


async def test_a_role_becomes_the_persons_who_hold_it_nearest_to_the_site() -> None:
    mailbox = Mailbox()
    with mail(mailbox) as port:
        delivery = Delivery(mail=setting.mail_to(port), holders=setting.holders())
        await put(
            told(role="vendor.site_lead"),
            told(role="vendor.site_lead", ticket="HARBOUR-CX-T0002", site="porto-1"),
            told(role="client.partner_manager"),
        )
        await deliver(delivery, Clock())
    assert sorted((address, message["Subject"].split("]")[0][1:]) for address, message in mailbox.taken) == [
        ("person11@example.com", "HARBOUR-CX-T0001"),
        ("person12@example.com", "HARBOUR-CX-T0001"),
        ("person12@example.com", "HARBOUR-CX-T0002"),
        ("person21@example.com", "HARBOUR-CX-T0001"),
    ]
    assert await states_of() == {"addressed", "sent"}


async def test_a_role_that_nobody_holds_is_shown_and_goes_out_when_somebody_does() -> None:
    mailbox, clock = Mailbox(), Clock()
    with mail(mailbox) as port:
        nobody = Delivery(mail=setting.mail_to(port))
        await put(told())
        await deliver(nobody, clock)
        assert await states() == {"client.partner_manager": ["dead"]}
        assert await errors() == ["nobody holds client.partner_manager for harbour-cx / lisbon-1"]
        async with transaction() as connection:
            [found] = await queries.listed(connection, ["dead"])
            assert await queries.resend(connection, found.id, clock())
        await deliver(Delivery(mail=setting.mail_to(port), holders=setting.holders()), clock)
    assert [address for address, _ in mailbox.taken] == ["person21@example.com"]


async def test_a_machine_is_told_of_an_event_once_however_many_roles_are() -> None:
    peer = Recorder()
    with web(peer) as url, mail(Mailbox()) as port:
        delivery = Delivery(mail=setting.mail_to(port), holders=setting.holders(), endpoints=(setting.webhook(url),))
        await put(told(role="client.partner_manager"), told(role="client.director"))
        await deliver(delivery, Clock())
    assert len(peer.requests) == 1


async def test_a_vendor_is_told_nothing_of_what_the_client_or_another_vendor_is_told() -> None:
    own, others, clients = Recorder(), Recorder(), Recorder()
    with web(own) as own_url, web(others) as others_url, web(clients) as clients_url:
        endpoints = (
            setting.webhook(own_url, name="own", of="vendor", vendor="harbour-cx"),
            setting.webhook(others_url, name="others", of="vendor", vendor="mesa"),
            setting.webhook(clients_url, name="clients"),
        )
        await put(told(role="vendor.site_lead"), told(2, role="client.partner_manager"))
        await deliver(Delivery(holders=setting.holders(), endpoints=endpoints), Clock())
    assert [one.json["data"]["sequence"] for one in own.requests] == [1]
    assert [one.json["data"]["sequence"] for one in clients.requests] == [2]
    assert others.requests == []


# Mail.


async def test_a_mail_has_one_identity_stands_in_its_thread_and_asks_for_no_automatic_answer() -> None:
    mailbox, clock = Mailbox(), Clock()
    with mail(mailbox) as port:
        delivery = Delivery(mail=setting.mail_to(port), holders=setting.holders())
        await put(told(1))
        await deliver(delivery, clock)
        await put(told(2))
        await deliver(delivery, clock)
    (_, first), (_, second) = mailbox.taken
    assert first["To"] == "Kim Ode <person21@example.com>"
    assert first["Message-ID"].endswith("@client.example>")
    assert first["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"]
    assert first["Auto-Submitted"] == "auto-generated"
    text = str(first.get_payload())
    assert "https://vendors.example.com/tickets/HARBOUR-CX-T0001" in text
    assert "no notice under the contract" in text


async def test_what_the_mail_server_puts_off_is_tried_again_with_the_same_identity() -> None:  # RT-smtp-2
    mailbox, clock = Mailbox(), Clock()
    mailbox.replies = {"RCPT": ["451 greylisted"]}
    with mail(mailbox) as port:
        delivery = Delivery(mail=setting.mail_to(port), holders=setting.holders())
        await put(told())
        await deliver(delivery, clock)
        assert (await states("person"), mailbox.taken) == ({"actor:21": ["pending"]}, [])
        assert await errors() == ["the mail server answered 451: greylisted"]
        clock.pass_(minutes=6)
        await deliver(delivery, clock)
    assert await states("person") == {"actor:21": ["sent"]}
    assert len(mailbox.taken) == 1


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
async def test_what_the_mail_server_refuses_is_dead_for_that_person_only(step: str) -> None:
    mailbox = Mailbox()
    mailbox.replies = {step: ["550 no such user"]}
    with mail(mailbox) as port:
        await put(told(role="vendor.site_lead"))
        await deliver(Delivery(mail=setting.mail_to(port), holders=setting.holders()), Clock())
    assert await states_of("person") == {"dead", "sent"}


async def test_a_mail_server_that_is_not_there_is_tried_later_and_left_alone_after_a_while() -> None:  # RT-smtp-4
    clock, mailbox = Clock(), Mailbox()
    with mail(mailbox) as port:
        pass  # Nobody listens there any more.
    delivery = Delivery(mail=setting.mail_to(port), holders=setting.holders())
    await put(*(told(ticket=f"HARBOUR-CX-T{number:04d}") for number in range(20)))
    await deliver(delivery, clock)
    async with transaction() as connection:
        tried = await connection.fetchval("SELECT count(*) FROM outbox WHERE channel = 'person' AND attempts > 0")
        assert await queries.resting(connection, clock()) == {"mail"}
    assert tried < 20, "the circuit did not open"
    assert await states_of("person") == {"pending"}


async def test_a_line_that_breaks_before_the_message_costs_nothing() -> None:
    mailbox, clock = Mailbox(), Clock()
    mailbox.replies = {"RCPT": ["drop"]}
    with mail(mailbox) as port:
        delivery = Delivery(mail=setting.mail_to(port), holders=setting.holders())
        await put(told())
        await deliver(delivery, clock)
        assert await states("person") == {"actor:21": ["pending"]}
        clock.pass_(minutes=6)
        await deliver(delivery, clock)
    assert (await states("person"), len(mailbox.taken)) == ({"actor:21": ["sent"]}, 1)


async def test_a_line_that_breaks_after_the_message_leaves_it_uncertain_and_nothing_is_sent_again_by_itself() -> None:  # RT-smtp-6
    mailbox, clock = Mailbox(), Clock()
    mailbox.replies = {"DATA": ["drop"]}
    with mail(mailbox) as port:
        delivery = Delivery(mail=setting.mail_to(port), holders=setting.holders())
        await put(told(1), told(2))
        for _ in range(5):
            await deliver(delivery, clock)
            clock.pass_(days=1)
        assert await states("person") == {"actor:21": ["uncertain", "pending"]}, "the next must not overtake it"
        assert len(mailbox.taken) == 1
        async with transaction() as connection:
            [found] = await queries.listed(connection, ["uncertain"])
            assert await queries.resend(connection, found.id, clock())
        await deliver(delivery, clock)
    assert await states("person") == {"actor:21": ["sent", "sent"]}
    identities = [message["Message-ID"] for _, message in mailbox.taken]
    assert identities[0] == identities[1] != identities[2]


async def test_a_mail_server_in_a_private_network_is_not_reached_unless_that_is_allowed() -> None:
    mailbox, clock = Mailbox(), Clock()
    with mail(mailbox) as port:
        delivery = Delivery(mail=setting.mail_to(port), holders=setting.holders())
        await put(told())
        async with setting.tools(delivery, clock) as held:
            await sending.deliver_with(replace(held, allow_private=False))
    assert (await states("person"), mailbox.taken) == ({"actor:21": ["dead"]}, [])
    assert "loopback" in (await errors())[0]


async def test_a_password_that_is_not_set_holds_mail_back_and_is_named() -> None:
    with mail(Mailbox()) as port:
        server = replace(setting.mail_to(port), user="desk", password=Secret(env="MAIL_WORD"))
        await put(told())
        await deliver(Delivery(mail=server, holders=setting.holders()), Clock())
    assert await states("person") == {"actor:21": ["pending"]}
    assert "MAIL_WORD" in (await errors())[0]


# Webhooks.


async def test_a_webhook_is_signed_and_keeps_its_identity_over_attempts() -> None:
    peer, clock = Recorder(answer_json(503), (204, {}, b"")), Clock()
    with web(peer) as url:
        delivery = Delivery(holders=setting.holders(), endpoints=(setting.webhook(url),))
        await put(told())
        await deliver(delivery, clock)
        assert (await states("webhook")) == {"endpoint:ops": ["pending"]}
        clock.pass_(minutes=6)
        await deliver(delivery, clock)
    first, second = peer.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    for request in peer.requests:
        at = setting.NOW.fromtimestamp(int(request.headers["webhook-timestamp"]), setting.NOW.tzinfo)
        assert signing.is_genuine([setting.SECRET], request.headers, request.body, at)
    assert second.json["type"] == "ticket.opened"
    assert second.json["data"]["ticket"] == "HARBOUR-CX-T0001"


@pytest.mark.parametrize("answer", [answer_json(404), answer_json(502), answer_json(302, location="http://127.0.0.1/"), HANG_UP])
async def test_only_2xx_is_success_and_all_else_is_tried_again(answer: Answer) -> None:  # WH-23, WH-27, WH-29, WH-31
    peer = Recorder(answer)
    with web(peer) as url:
        await put(told())
        await deliver(Delivery(holders=setting.holders(), endpoints=(setting.webhook(url),)), Clock())
    assert await states("webhook") == {"endpoint:ops": ["pending"]}
    assert len(peer.requests) == 1


async def test_a_receiver_that_is_gone_gets_no_more_until_a_person_says_so() -> None:  # WH-25
    peer, clock = Recorder(answer_json(410), (204, {}, b"")), Clock()
    with web(peer) as url:
        delivery = Delivery(holders=setting.holders(), endpoints=(setting.webhook(url),))
        await put(told(), told(ticket="HARBOUR-CX-T0002"))
        for _ in range(3):
            await deliver(delivery, clock)
            clock.pass_(days=2)
        asked = len(peer.requests)
        async with transaction() as connection:
            found = await queries.listed(connection, ["dead"])
            assert [one.recipient for one in found if one.channel == "webhook"] == ["endpoint:ops"]
            assert await queries.resend(connection, next(one.id for one in found if one.channel == "webhook"), clock())
        await deliver(delivery, clock)
    assert asked <= 2, "what was under way with the first one, and nothing later"
    assert (await states("webhook")) == {"endpoint:ops": ["sent", "sent"]}


async def test_the_pause_a_receiver_asks_for_is_kept_for_everything_it_gets() -> None:
    peer, clock = Recorder(answer_json(429, retry_after="3600"), (204, {}, b"")), Clock()
    with web(peer) as url:
        delivery = Delivery(holders=setting.holders(), endpoints=(setting.webhook(url),))
        await put(told())
        await deliver(delivery, clock)
        await put(told(ticket="HARBOUR-CX-T0002"))
        clock.pass_(minutes=59)
        await deliver(delivery, clock)
        assert len(peer.requests) == 1
        clock.pass_(minutes=20)
        await deliver(delivery, clock)
    assert (await states("webhook")) == {"endpoint:ops": ["sent", "sent"]}


async def test_events_of_a_ticket_arrive_in_order_also_after_failures() -> None:
    peer, clock = Recorder(answer_json(500), (204, {}, b"")), Clock()
    with web(peer) as url:
        delivery = Delivery(holders=setting.holders(), endpoints=(setting.webhook(url),))
        await put(*(told(sequence) for sequence in range(1, 6)))
        for _ in range(3):
            await deliver(delivery, clock)
            clock.pass_(minutes=6)
    assert [one.json["data"]["sequence"] for one in peer.requests] == [1, 1, 2, 3, 4, 5]


async def test_one_peer_that_fails_keeps_no_other_waiting() -> None:
    bad, good = Recorder(HANG_UP), Recorder()
    with web(bad) as bad_url, web(good) as good_url:
        endpoints = (setting.webhook(bad_url, name="bad"), setting.webhook(good_url, name="good"))
        await put(*(told(ticket=f"HARBOUR-CX-T{number:04d}") for number in range(12)))
        await deliver(Delivery(holders=setting.holders(), endpoints=endpoints), Clock())
    assert len(good.requests) == 12
    assert set((await states("webhook"))["endpoint:bad"]) == {"pending"}
    assert len(bad.requests) < 12, "the circuit did not open"


async def test_an_address_inside_the_own_network_is_refused() -> None:
    peer, clock = Recorder(), Clock()
    with web(peer) as url:
        delivery = Delivery(holders=setting.holders(), endpoints=(setting.webhook(url),))
        await put(told())
        async with outbound.client(timeout=5, allow_http=True) as client, setting.tools(delivery, clock) as held:
            await sending.deliver_with(replace(held, client=client))
    assert (await states("webhook"), peer.requests) == ({"endpoint:ops": ["dead"]}, [])


# Slack.


async def test_slack_is_told_in_words_that_it_cannot_take_for_markup() -> None:
    peer = Recorder((200, {}, b"ok"))
    with web(peer) as url:
        delivery = Delivery(holders=setting.holders(), endpoints=(setting.slack(),))
        await put(told(kpi="<!channel> & co"))
        await deliver(delivery, Clock(), SLACK_URL=url)
    assert await states("slack") == {"endpoint:channel": ["sent"]}
    assert "&lt;!channel&gt; &amp; co" in peer.requests[0].json["text"]


@pytest.mark.parametrize("answer", [HANG_UP, answer_json(504)])
async def test_what_slack_may_have_taken_waits_for_a_person(answer: Answer) -> None:
    peer, clock = Recorder(answer), Clock()
    with web(peer) as url:
        delivery = Delivery(holders=setting.holders(), endpoints=(setting.slack(),))
        await put(told())
        for _ in range(3):
            await deliver(delivery, clock, SLACK_URL=url)
            clock.pass_(days=1)
    assert (await states("slack"), len(peer.requests)) == ({"endpoint:channel": ["uncertain"]}, 1)


# Jira.


async def through_jira(jira: JiraPeer, clock: Clock, *events: Any, until_s: int = 0, **transitions: str) -> dict[str, list[str]]:
    """What became of the events, after looking every ten seconds for so long."""
    with web(jira) as url:
        delivery = Delivery(holders=setting.holders(), endpoints=(setting.jira(url, **transitions),))
        await put(*events)
        async with setting.tools(delivery, clock) as held:
            for _ in range(0, until_s + 1, 10):
                await sending.deliver_with(held)
                clock.pass_(seconds=10)
    return await states("jira")


async def test_a_ticket_is_one_issue_with_a_comment_for_each_event_and_its_state_read_back() -> None:
    clock = Clock()
    jira = JiraPeer(clock)
    found = await through_jira(jira, clock, told(1), told(2), told(3, state="in_progress"), in_progress="21")
    assert found == {"endpoint:tracker": ["sent"] * 3}
    [issue] = jira.issues.values()
    assert issue["summary"] == "[HARBOUR-CX-T0001] answer_rate at lisbon-1: level 1"
    assert (len(issue["comments"]), issue["status"]) == (2, "In Progress")
    async with transaction() as connection:
        stored = await connection.fetchrow("SELECT issue_key, status FROM tracker_issue")
    assert tuple(stored or ()) == ("VM-1", "In Progress")


async def test_an_issue_whose_answer_never_came_is_found_again_and_not_created_twice() -> None:
    clock = Clock()
    jira = JiraPeer(clock)
    jira.hang_up_after = ["POST issue"]
    found = await through_jira(jira, clock, told(1), until_s=700)
    assert found == {"endpoint:tracker": ["sent"]}
    assert len(jira.issues) == 1


async def test_a_comment_whose_answer_never_came_is_recognised_and_not_written_twice() -> None:
    clock = Clock()
    jira = JiraPeer(clock)
    await through_jira(jira, clock, told(1))
    jira.hang_up_after = ["POST issue"]
    found = await through_jira(jira, clock, told(2), until_s=400)
    [issue] = jira.issues.values()
    assert (found["endpoint:tracker"], len(issue["comments"])) == (["sent", "sent"], 1)


async def test_an_issue_that_somebody_labelled_already_is_taken_up() -> None:
    clock = Clock()
    jira = JiraPeer(clock)
    clock.pass_(minutes=1)
    jira.issues["VM-1"] = {
        "project": "VM", "labels": [label_of("ticket:HARBOUR-CX-T0001")], "status": "To Do", "comments": [], "made_at": setting.NOW
    }  # fmt: skip
    assert await through_jira(jira, clock, told(1)) == {"endpoint:tracker": ["sent"]}
    assert (len(jira.issues), len(jira.issues["VM-1"]["comments"])) == (1, 1)


async def test_what_jira_refuses_is_dead_with_what_it_said() -> None:
    clock = Clock()
    jira = JiraPeer(clock)
    jira.project = "OTHER"
    assert await through_jira(jira, clock, told(1)) == {"endpoint:tracker": ["dead"]}
    assert "valid project is required" in (await errors())[-1]
