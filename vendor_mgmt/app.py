"""The web application: every route, plug-in, error handler and part with a life of its own, in one list. Start reading here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, Request
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from scorecards.rendering import Renderer
from vendor_mgmt import database, health, problems, work
from vendor_mgmt.access.scope import Scope
from vendor_mgmt.api import hooks, v1
from vendor_mgmt.boundary import boundary
from vendor_mgmt.jobs import worker
from vendor_mgmt.pages import account, api_docs, contracts, portfolio, running, scorecards, sites, static_files, tickets
from vendor_mgmt.service import PULSE_S, Service, service_of
from vendor_mgmt.settings import Settings
from vendor_mgmt.signing_in import SignedIn

REQUEST_BYTES_MAX = 1_000_000

WORKER_GRACE_S = 0.5
"""How long a stopping service lets begun work go on before it puts it back into the queue. Short, because putting back loses nothing, and a
person at a terminal waits."""


def create_app(settings: Settings, url: str, *, stopping: asyncio.Event | None = None) -> Litestar:
    """The application on the database at `url`, whose schema is up to date. `stopping` is set when it is about to end.

    `async with app.lifespan()` starts and stops everything that runs beside the requests.
    """
    service = Service(settings, url=url, stopping=stopping)
    app = Litestar(
        route_handlers=[
            portfolio.portfolio,
            sites.site,
            scorecards.scorecards,
            scorecards.scorecard,
            tickets.tickets,
            tickets.ticket,
            contracts.contracts,
            contracts.contract,
            running.sources,
            running.pull_source,
            running.runs,
            running.events,
            account.sign_out,
            account.problem_types,
            api_docs.api_docs,
            v1.router,
            hooks.receive,
            health.health,
            health.ready,
            static_files.static_file,
        ],
        dependencies={
            "service": Provide(_service, sync_to_thread=False),
            "access": Provide(_access, sync_to_thread=False),
        },
        middleware=[SignedIn()],
        exception_handlers={Exception: problems.answer_to},
        compression_config=CompressionConfig(
            backend="gzip", gzip_compress_level=5, minimum_size=1000, exclude_opt_key="exclude_from_compression"
        ),
        # In order of start; they stop in the reverse.
        lifespan=[_database, _warmed, _renderer, _worker, _clock],
        request_max_body_size=REQUEST_BYTES_MAX,
        openapi_config=_openapi(),
        logging_config=None,
        state=State({"service": service}),
        debug=False,
    )
    app.asgi_handler = boundary(app.asgi_handler, settings)
    return app


def _openapi() -> OpenAPIConfig:
    """The description at `/api/v1/openapi.json`. Its viewer is a page of ours: those of the library load their scripts from
    elsewhere, which our pages forbid.
    """
    return OpenAPIConfig(
        title="vendor-mgmt",
        version="1",
        description=(v1.__doc__ or "").strip(),
        # Below this path Litestar answers in its own way what does not exist, so it has nothing else below it.
        path="/api/v1/openapi",
        render_plugins=[JsonRenderPlugin()],
        use_handler_docstrings=True,
        security=[{"token": []}],
        components=Components(
            security_schemes={
                "token": SecurityScheme(
                    type="http", scheme="bearer", description="The token in the file `access_token` in the data folder of the service."
                )
            }
        ),
    )


def _service(state: State) -> Service:
    service: Service = state.service
    return service


def _access(request: Request[Any, Any, Any]) -> Scope:
    """What whoever makes the request may see."""
    found: Scope = request.scope["user"].scope
    return found


@contextlib.asynccontextmanager
async def _database(app: Litestar) -> AsyncIterator[None]:
    async with database.pool(service_of(app).url):
        yield


@contextlib.asynccontextmanager
async def _warmed(_app: Litestar) -> AsyncIterator[None]:
    """Files read and compressed before somebody asks for the first page: beside the event loop, and nobody waits for it."""
    warming = asyncio.ensure_future(asyncio.to_thread(static_files.files))
    try:
        yield
    finally:
        await warming


@contextlib.asynccontextmanager
async def _renderer(app: Litestar) -> AsyncIterator[None]:
    """The PDF processes; the first one asked for is started with the first PDF."""
    service = service_of(app)
    renderer = service.renderer = Renderer(service.settings.pdf_workers)
    try:
        yield
    finally:
        service.renderer = None
        # It waits for its processes to end, and the loop has other things to do.
        await asyncio.to_thread(renderer.close)


@contextlib.asynccontextmanager
async def _worker(app: Litestar) -> AsyncIterator[None]:
    service = service_of(app)
    work.prepare(service.settings)
    if "worker" not in service.settings.roles:
        yield
        return
    async with worker.worker(lambda: service.url, grace_s=WORKER_GRACE_S):
        yield


@contextlib.asynccontextmanager
async def _clock(app: Litestar) -> AsyncIterator[None]:
    service = service_of(app)
    if "clock" not in service.settings.roles:
        yield
        return
    async with worker.clock(also={"pulse": (PULSE_S, service.pulse), **work.wakes(service.settings)}):
        yield
