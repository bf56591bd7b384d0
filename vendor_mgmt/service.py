"""What the parts of a running service share: settings, the signal to stop, the PDF processes, and how its clock and worker stand."""

from __future__ import annotations

import asyncio
import time

from litestar import Litestar

from scorecards.rendering import Renderer
from vendor_mgmt.settings import Settings, secret_key

PULSE_S = 2.0
PULSE_LATE_S = 15.0


class Service:
    """One per process. Handlers ask for it by the name `service`."""

    def __init__(self, settings: Settings, *, url: str, stopping: asyncio.Event | None = None) -> None:
        self.settings = settings
        self.url = url
        """Address of the database. It holds a password: keep it away from logs."""
        self.stopping = stopping or asyncio.Event()
        """Set when the service is about to end. Whatever waits for something to tell a browser waits for this as well."""
        self.key = secret_key(settings)
        self.renderer: Renderer | None = None
        """The PDF processes, between start and stop."""
        self._pulse: float | None = None

    async def pulse(self) -> None:
        """Called by the clock at every beat."""
        self._pulse = time.monotonic()

    @property
    def clock_is_alive(self) -> bool:
        """Whether the clock of this process has beaten lately; True where another process keeps time."""
        if "clock" not in self.settings.roles:
            return True
        return self._pulse is not None and time.monotonic() - self._pulse < PULSE_LATE_S


def service_of(app: Litestar) -> Service:
    service: Service = app.state.service
    return service
