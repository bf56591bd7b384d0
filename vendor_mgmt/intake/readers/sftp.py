"""Files that vendors drop on an SFTP server."""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import time
from pathlib import Path
from typing import Any

import asyncssh

from vendor_mgmt import outbound
from vendor_mgmt.intake.readers.page import Found, KnownFiles, ReadingFailed, value_of
from vendor_mgmt.intake.source import FileReader, Sftp

_PIECE = 1 << 18
_FILES_MAX = 10_000


async def fetched(reader: FileReader, where: Sftp, known: KnownFiles, folder: Path, *, allow_private: bool) -> list[Found]:
    """Copies of the files that match and were not read before, oldest first. Raises `ReadingFailed`.

    Files are known by name, size and time of change, so that what was read before is not fetched again.
    """
    limits = reader.limits
    try:
        key = asyncssh.import_public_key(where.host_key)
        keys = [] if where.key is None else [asyncssh.import_private_key(value_of(where.key) + "\n")]
    except (asyncssh.KeyImportError, ValueError) as error:
        raise ReadingFailed(f"A key of the SFTP server cannot be read: {error}.", is_temporary=False) from None
    password = None if where.password is None else value_of(where.password)
    try:
        address = await outbound.address_of(where.host, where.port, allow_private=allow_private)
        async with (
            asyncio.timeout(limits.patience_s),
            # Nothing of this machine's own SSH configuration, agent or keys comes into it.
            asyncssh.connect(
                address, where.port, username=where.user, password=password, client_keys=keys or None, known_hosts=([key], [], []),
                config=None, agent_path=None, x509_trusted_certs=None, connect_timeout=limits.timeout_s, login_timeout=limits.timeout_s,
                preferred_auth="publickey" if keys else "password,keyboard-interactive",
            ) as connection,
            connection.start_sftp_client() as client,
        ):  # fmt: skip
            return [
                await _copied(client, f"{where.folder}/{name}", name, mark, folder / str(i), limits.answer_mb * 1_000_000)
                for i, (name, mark) in enumerate(await _listed(client, reader, where, known))
            ]
    except outbound.Refused as error:
        raise ReadingFailed(str(error), is_temporary=False) from None
    except asyncssh.HostKeyNotVerifiable:
        reason = f"{where.host} shows another host key than the source's document says. Ask the vendor before you change `host_key`."
        raise ReadingFailed(reason, is_temporary=False) from None
    except asyncssh.PermissionDenied:
        raise ReadingFailed(f"{where.host} does not let {where.user} in. Check the credentials.", is_temporary=False) from None
    except asyncssh.SFTPNoSuchFile:
        raise ReadingFailed(f"{where.host} has no folder {where.folder}. Correct `folder`.", is_temporary=False) from None
    except (asyncssh.Error, OSError, TimeoutError) as error:
        what = str(error) or type(error).__name__
        raise ReadingFailed(f"The SFTP server {where.host} cannot be read: {what}.", is_temporary=True) from None


async def _listed(client: asyncssh.SFTPClient, reader: FileReader, where: Sftp, known: KnownFiles) -> list[tuple[str, str]]:
    """Names and marks of the files to fetch, oldest first."""
    found: list[tuple[float, str, str]] = []
    now = time.time()
    async for entry in client.scandir(where.folder):
        name = str(entry.filename)
        attributes = entry.attrs
        is_file = attributes.type == asyncssh.FILEXFER_TYPE_REGULAR
        if not is_file or "/" in name or not fnmatch.fnmatchcase(name, reader.pattern):
            continue
        changed_at = float(attributes.mtime or 0)
        mark = f"{attributes.size} {changed_at:.0f}"
        is_settled = now - changed_at >= reader.settle_s or reader.settle_s == 0
        if is_settled and (name, mark) not in known.marks:
            found.append((changed_at, name, mark))
        if len(found) > _FILES_MAX:
            raise ReadingFailed(f"The folder has more than {_FILES_MAX} new files. Narrow `pattern`.", is_temporary=False)
    return [(name, mark) for _, name, mark in sorted(found)]


async def _copied(client: asyncssh.SFTPClient, remote: str, name: str, mark: str, path: Path, bytes_max: int) -> Found:
    digest, size = hashlib.sha256(), 0
    async with client.open(remote, "rb") as source:
        with path.open("wb") as target:
            while data := _bytes(await source.read(_PIECE)):
                size += len(data)
                if size > bytes_max:
                    raise ReadingFailed(f"{name} has more bytes than `limits.answer_mb` allows.", is_temporary=False)
                digest.update(data)
                target.write(data)
    return Found(path=path, name=name, sha256=digest.hexdigest(), size_bytes=size, mark=mark)


def _bytes(data: Any) -> bytes:
    return data if isinstance(data, bytes) else str(data).encode()
