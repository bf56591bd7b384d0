"""How long five hundred messages take to a peer on the same machine.

    pytest tests/benchmarks/test_outbox.py -s

Each is claimed, signed, sent over HTTP and settled in a transaction of its own, on a server with its durability as in production.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from tests.vendor_mgmt.delivery import setting
from tests.vendor_mgmt.delivery.peers import Request, web
from tests.vendor_mgmt.delivery.setting import Clock, put, states, told
from vendor_mgmt import migrating, processes
from vendor_mgmt.database import pool
from vendor_mgmt.delivery import sending
from vendor_mgmt.delivery.document import Delivery
from vendor_mgmt.embedded_postgres import EmbeddedPostgres

MESSAGES = 500


async def measure(url: str) -> dict[str, Any]:
    came: list[Request] = []

    def answer(request: Request) -> tuple[int, dict[str, str], bytes]:
        came.append(request)
        return 204, {}, b""

    async with pool(url):
        await setting.add_persons()
        await put(*(told(ticket=f"HARBOUR-CX-T{number:04d}") for number in range(MESSAGES)))
        with web(answer) as peer:
            delivery = Delivery(holders=setting.holders(), endpoints=(setting.webhook(peer),))
            async with setting.tools(delivery, Clock()) as held:
                while await sending.address(held):
                    pass
                started = time.perf_counter()
                while await sending.send("webhook", held):
                    pass
                took = time.perf_counter() - started
        assert set((await states("webhook"))["endpoint:ops"]) == {"sent"}
    assert len(came) == MESSAGES
    return {"messages": MESSAGES, "seconds": round(took, 2), "per_second": round(MESSAGES / took)}


def test_five_hundred_messages_take_less_than_ten_seconds() -> None:
    processes.collect_seldom()
    with tempfile.TemporaryDirectory(prefix="vendor-mgmt-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with EmbeddedPostgres(folder / "data") as endpoint, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(migrating.migrate(endpoint.url))
            result = runner.run(measure(endpoint.url))
    print(json.dumps(result))
    assert result["seconds"] < 10
