"""Every HTTP request that leaves the service goes through the client made here: pulls, webhooks, issue trackers.

Addresses are typed in by people, answered by name servers and changed by redirects, so none of them is believed:

* only `https`, unless plain `http` is allowed; only the hosts on the list, if there is a list;
* a name is resolved here, all of its addresses are checked, and the connection is made to the address that was checked. A name
  server that answers differently a moment later changes nothing. Host header and TLS name stay those of the address as written,
  so certificates are checked as ever. A redirect passes through the same gate;
* an answer has a size, a ratio of decompression and one deadline for everything from the first look-up to the last byte. A server
  that sends one byte a second, or a few kilobytes that unpack to gigabytes, costs no more than that.

What a caller can do about a failure:

    httpx.RequestError
    ├── Refused               correct the address or the settings; nothing was sent, so trying again gives the same
    ├── AnswerRefused         ask for less at a time, or tell the sender: the answer is too large, or not what it says it is
    │   └── BrokenOff         try again later: a packed answer ends in the middle
    └── httpx.TransportError  try again later; httpx's own classes say at which step it failed
        └── DeadlineExceeded  the whole took too long (an httpx.TimeoutException). Whether a sent request was carried out is unknown
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any

import httpcore
import httpx

MAX_BYTES = 50_000_000
MAX_RATIO = 200
"""Real tables of numbers pack to a twentieth of their size, very dull ones to a hundredth; bombs to a thousandth."""

_RATIO_MATTERS_FROM = 1_000_000
_PIECE = 65_536
_MAX_REDIRECTS = 5
_MAX_ADDRESSES = 4
_LIMITS: dict[str, Any] = {"max_connections": 100, "max_keepalive_connections": 20, "keepalive_expiry": 5.0}
_DEADLINE = "vendor_mgmt.deadline"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name and port to addresses, in the order in which they should be tried; raises OSError where there are none."""

_HAND_OUT_CREDENTIALS = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254")))
"""Where cloud machines fetch their own credentials. No vendor reports from there, so allowing private addresses leaves them out."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(httpx.RequestError):
    """The request was not sent, because its address is not one the service may reach."""


class AnswerRefused(httpx.RequestError):
    """The answer is too large, unpacks to too much, or cannot be unpacked."""


class BrokenOff(AnswerRefused):
    """A packed answer came without its end, as when a connection is dropped."""


class DeadlineExceeded(httpx.TimeoutException):
    """The whole request, redirects and body included, took longer than allowed."""


def client(
    *,
    timeout: float = 60,
    connect_timeout: float = 10,
    max_bytes: int = MAX_BYTES,
    max_ratio: int = MAX_RATIO,
    allow_private: bool = False,
    allow_http: bool = False,
    allowed_hosts: Collection[str] | None = None,
    proxy: str | None = None,
    follow_redirects: bool = False,
    headers: dict[str, str] | None = None,
    verify: ssl.SSLContext | None = None,
    resolver: Resolver | None = None,
) -> httpx.AsyncClient:
    """An httpx client whose requests are guarded as the module says.

    `timeout` is the number of seconds for the whole of a request; `connect_timeout` for reaching the host within it.
    `allowed_hosts` are the only host names that may be reached; without it all public ones may. `allow_private` lets addresses
    through that are private, loopback or link-local. Through a `proxy` (http or https; it may itself be private) names are also
    resolved here and refused if they lead to forbidden addresses; a name that only the proxy can resolve is left to the proxy.
    Environment variables such as HTTP_PROXY and files such as .netrc have no influence.
    """
    gate = _Gate(
        allow_private=allow_private,
        allow_http=allow_http,
        allowed_hosts=None if allowed_hosts is None else frozenset(host.lower().rstrip(".") for host in allowed_hosts),
        resolver=resolver or _resolve,
    )
    return _Client(
        timeout_in_all=timeout,
        transport=_Transport(gate, proxy=proxy, verify=verify, max_bytes=max_bytes, max_ratio=max_ratio),
        timeout=httpx.Timeout(timeout, connect=connect_timeout),
        follow_redirects=follow_redirects,
        max_redirects=_MAX_REDIRECTS,
        headers=headers,
        trust_env=False,
    )


def why_forbidden(address: Address, *, allow_private: bool = False) -> str | None:
    """Why the service must not connect to an address, in a word or two; None if it may.

    An IPv6 address that carries an IPv4 address (mapped, 6to4, Teredo, NAT64) is judged by both.
    """
    if address in _HAND_OUT_CREDENTIALS:
        return "a cloud provider's metadata service"
    carried = _carried(address)
    if carried is not None:
        within = why_forbidden(carried, allow_private=allow_private)
        # Mapped and NAT64 addresses are nothing but the IPv4 address; the tunnels are addresses of their own as well.
        if within is not None or address in _NAT64 or getattr(address, "ipv4_mapped", None) is not None:
            return within
    if address.is_multicast:
        return "multicast"
    if address.is_unspecified:
        return "unspecified"
    if address.is_loopback:
        return None if allow_private else "loopback"
    if address.is_link_local:
        return None if allow_private else "link-local"
    # Before `is_private`, which reserved blocks also answer to; nothing is ever served from these.
    if address.is_reserved or address == ipaddress.IPv4Address("255.255.255.255"):
        return "reserved"
    if not address.is_global or getattr(address, "is_site_local", False):
        return None if allow_private else "private"
    return None


async def address_of(host: str, port: int, *, allow_private: bool = False, resolver: Resolver | None = None) -> str:
    """An address to connect to for what is no HTTP (SFTP, mail, databases), checked like all others. Raises Refused, OSError.

    Connect to the address and not to the name, which may lead elsewhere a moment later.
    """
    gate = _Gate(allow_private=allow_private, allow_http=False, allowed_hosts=None, resolver=resolver or _resolve)
    return (await gate.addresses(host, port))[0]


def _carried(address: Address) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # A label that is empty or too long never reaches the name server.
        raise OSError(f"{host} is not a host name") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Gate:
    """Which addresses may be reached. Holds no state between requests."""

    def __init__(self, *, allow_private: bool, allow_http: bool, allowed_hosts: frozenset[str] | None, resolver: Resolver) -> None:
        self.allow_private = allow_private
        self.allow_http = allow_http
        self.allowed_hosts = allowed_hosts
        self.resolver = resolver

    def check_url(self, url: httpx.URL) -> None:
        """What can be said before any look-up. Raises Refused."""
        if url.scheme != "https" and not (url.scheme == "http" and self.allow_http):
            allowed = "https or http" if self.allow_http else "https"
            raise Refused(f"{_shown(url)} was not asked, because only {allowed} is allowed. Correct the address.")
        host = url.host.lower().rstrip(".")
        if not host:
            raise Refused(f"{_shown(url)} names no host. Correct the address.")
        if self.allowed_hosts is not None and host not in self.allowed_hosts:
            hosts = ", ".join(sorted(self.allowed_hosts)) or "none"
            raise Refused(f"{_shown(url)} was not asked, because {host} is not among the allowed hosts ({hosts}).")

    async def addresses(self, host: str, port: int) -> list[str]:
        """The host's addresses, all of them checked. Raises Refused if one is forbidden, OSError if the name has none.

        One forbidden address condemns the name: a name that leads both outside and inside is what an attack looks like.
        """
        found = [*(await self.resolver(host, port))]
        for text in found:
            reason = why_forbidden(ipaddress.ip_address(text), allow_private=self.allow_private)
            if reason is not None:
                via = "" if text == host else f" leads to {text}, which"
                repair = "" if self.allow_private else " If the source really stands there, allow private addresses in the settings."
                raise Refused(f"{host}{via} is {reason}, and such an address is not asked.{repair}")
        if not found:
            raise OSError(f"{host} has no address")
        return found


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to addresses that passed the gate, and to nothing else. TLS comes later and still uses the host's name."""

    def __init__(self, gate: _Gate) -> None:
        self.gate = gate
        self.network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = (await self.gate.addresses(host, port))[:_MAX_ADDRESSES]
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"the name {host} was not resolved in time") from error
        except OSError as error:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved: {error}") from error
        # A dead first address must not use up the time of the others.
        patience = None if timeout is None else timeout / len(addresses)
        for last, address in ((address is addresses[-1], address) for address in addresses):
            try:
                return await self.network.connect_tcp(address, port, patience, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
        raise AssertionError

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - httpcore's signature
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - likewise
    ) -> httpcore.AsyncNetworkStream:
        raise Refused(f"The socket {path} is not asked")

    async def sleep(self, seconds: float) -> None:
        await self.network.sleep(seconds)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's transport over a connection pool of our own, with the gate before it and limits behind it."""

    def __init__(self, gate: _Gate, *, proxy: str | None, verify: ssl.SSLContext | None, max_bytes: int, max_ratio: int) -> None:
        # httpx has no argument for the network backend, and its constructor would make a pool only for this one to replace it.
        self.gate = gate
        self.max_bytes = max_bytes
        self.max_ratio = max_ratio
        self.has_proxy = proxy is not None
        context = verify or httpx.create_ssl_context(trust_env=False)
        if proxy is None:
            self._pool = httpcore.AsyncConnectionPool(ssl_context=context, network_backend=_Pinned(gate), **_LIMITS)
        else:
            told = httpx.Proxy(proxy)
            if told.url.scheme not in ("http", "https"):
                raise ValueError(f"the proxy {_shown(told.url)} is neither http nor https")
            address = httpcore.URL(scheme=told.url.raw_scheme, host=told.url.raw_host, port=told.url.port, target=told.url.raw_path)
            self._pool = httpcore.AsyncHTTPProxy(proxy_url=address, proxy_auth=told.raw_auth, ssl_context=context, **_LIMITS)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.gate.check_url(request.url)
        # What is asked for is what `_Body` can unpack piece by piece.
        request.headers["Accept-Encoding"] = "gzip, deflate"
        deadline: float = request.extensions[_DEADLINE]
        try:
            async with asyncio.timeout_at(deadline):
                if self.has_proxy:
                    await self.check_name(request.url)
                response = await super().handle_async_request(request)
        except TimeoutError as error:
            raise DeadlineExceeded(f"{_shown(request.url)} did not answer in time", request=request) from error
        try:
            return self.limited(request, response, deadline)
        except AnswerRefused:
            await response.aclose()
            raise

    async def check_name(self, url: httpx.URL) -> None:
        try:
            await self.gate.addresses(url.host, url.port or 443)
        except OSError:
            return  # In many networks only the proxy can resolve names; then it alone decides.

    def limited(self, request: httpx.Request, response: httpx.Response, deadline: float) -> httpx.Response:
        where = _shown(request.url)
        length = response.headers.get("content-length", "")
        if request.method != "HEAD" and length.isdecimal() and int(length[:20]) > self.max_bytes:
            raise AnswerRefused(f"{where} announces {length[:20]} bytes, more than the {self.max_bytes} that are read", request=request)
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip", "deflate", ""):
            raise AnswerRefused(f"{where} answers in the encoding {coding[:40]!r}, which was not asked for", request=request)
        body = _Body(response.stream, request, deadline, coding, self.max_bytes, self.max_ratio)
        # The body leaves here unpacked, so httpx must not unpack it again.
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in (b"content-encoding", b"content-length")]
        return httpx.Response(response.status_code, headers=headers, stream=body, extensions=response.extensions)


class _Body(httpx.AsyncByteStream):
    """The unpacked body, in pieces of bounded size, for as long as it keeps within the limits."""

    def __init__(self, stream: Any, request: httpx.Request, deadline: float, coding: str, max_bytes: int, max_ratio: int) -> None:
        self.stream: httpx.AsyncByteStream = stream
        self.request = request
        self.deadline = deadline
        self.coding = coding
        self.max_bytes = max_bytes
        self.max_ratio = max_ratio
        self.received = 0
        self.unpacked = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        unpacker = _Unpacker(self.coding)
        async for packed in self.packed():
            self.received += len(packed)
            try:
                for piece in unpacker.feed(packed):
                    self.check(len(piece))
                    yield piece
            except zlib.error as error:
                self.refuse(f"is not the {self.coding} that it says it is ({error})")
        if not unpacker.is_complete:
            raise BrokenOff(f"The answer of {_shown(self.request.url)} breaks off in the middle of its {self.coding}", request=self.request)

    async def packed(self) -> AsyncIterator[bytes]:
        pieces = aiter(self.stream)
        while True:
            try:
                async with asyncio.timeout_at(self.deadline):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                message = f"{_shown(self.request.url)} did not finish its answer in time ({self.received} bytes came)"
                raise DeadlineExceeded(message, request=self.request) from error
            yield piece

    def check(self, length: int) -> None:
        self.unpacked += length
        if self.unpacked > self.max_bytes:
            self.refuse(f"is larger than the {self.max_bytes} bytes that are read")
        if self.unpacked > _RATIO_MATTERS_FROM and self.unpacked > self.max_ratio * self.received:
            self.refuse(f"unpacks to more than {self.max_ratio} times its size")

    def refuse(self, what: str) -> None:
        raise AnswerRefused(f"The answer of {_shown(self.request.url)} {what}", request=self.request)

    async def aclose(self) -> None:
        await self.stream.aclose()


class _Unpacker:
    """Undoes a content encoding, never making more than one piece at a time however much is packed into the input."""

    def __init__(self, coding: str) -> None:
        self.is_packed = coding not in ("identity", "")
        self.is_deflate = coding == "deflate"
        self.head: bytes | None = b""
        """The first bytes of "deflate", until there are enough of them to tell its two kinds apart."""
        self.inflate: Any = zlib.decompressobj(zlib.MAX_WBITS if self.is_deflate else zlib.MAX_WBITS | 16)
        self.has_begun = False

    @property
    def is_complete(self) -> bool:
        """Whether the packed data came to its end; a body of no bytes at all (after HEAD, say) was never packed."""
        return not self.is_packed or not self.has_begun or self.inflate.eof

    def feed(self, data: bytes) -> Iterable[bytes]:
        if not self.is_packed:
            yield data
            return
        self.has_begun = self.has_begun or bool(data)
        data = self.with_kind_known(data) if self.is_deflate else data
        while True:
            if self.inflate.eof:
                # A gzip body may be several files one after the other, and may be padded with zeros.
                data = data.lstrip(b"\0")
                if not data or self.is_deflate:
                    return
                self.inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            piece = self.inflate.decompress(data, _PIECE)
            if piece:
                yield piece
            data = self.inflate.unused_data if self.inflate.eof else self.inflate.unconsumed_tail
            # A full piece may leave more behind although all input has been taken in.
            if not data and len(piece) < _PIECE:
                return

    def with_kind_known(self, data: bytes) -> bytes:
        """The format is zlib's, but some servers leave out its header: two bytes that, as a number, 31 divides."""
        if self.head is None:
            return data
        data = self.head + data
        if len(data) < 2:
            self.head = data
            return b""
        self.head = None
        has_header = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
        if not has_header:
            self.inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        return data


class _Client(httpx.AsyncClient):
    """An httpx client that gives each request one deadline, which its redirects inherit."""

    def __init__(self, *, timeout_in_all: float, **options: Any) -> None:
        super().__init__(**options)
        self.timeout_in_all = timeout_in_all

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        request.extensions = {**request.extensions, _DEADLINE: asyncio.get_running_loop().time() + self.timeout_in_all}
        return await super().send(request, **options)


def _shown(url: httpx.URL) -> str:
    """An address for a message or a log: without its password, query and fragment, all of which may carry secrets."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))
