"""What can be set from outside, in one frozen type.

`Settings` is made once, at the edge (`Settings.from_environment`), and handed on as an argument. Nothing below reads the environment
again; the one exception is `vendor_mgmt.engine`, where Piccolo wants an engine before anybody could have handed it an address.

Every field says what it means in its own annotation. `docs/settings.md` is written from these annotations (`settings_as_markdown`), and a
test keeps the two equal.
"""

from __future__ import annotations

import difflib
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from vendor_mgmt.errors import Refused

PREFIX = "VENDOR_MGMT_"

EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  (recognised, not bound)

SECRET_KEY_CHARACTERS_MIN = 32

Role = Literal["web", "clock", "worker"]
LogFormat = Literal["auto", "text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
Paper = Literal["a4", "letter"]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this installation runs.

    Only `data_dir` has to be given; `from_environment` finds a place for it. Build one directly in tests: `Settings(data_dir=tmp_path)`.
    """

    data_dir: Annotated[
        Path,
        Meta(
            description="Folder for everything kept on this machine: the embedded database, the generated secret key, backups. "
            "Left out, it is `/var/lib/vendor-mgmt` for root, otherwise `$XDG_DATA_HOME/vendor-mgmt` or `~/.local/share/vendor-mgmt`."
        ),
    ]

    database_url: Annotated[
        str | None,
        Meta(
            description="Address of a PostgreSQL server (15 or newer), as `postgresql://user:password@host:5432/database`. Left out, an "
            "embedded PostgreSQL runs in the data folder.",
            extra={"variable": "DATABASE_URL", "secret": True},
        ),
    ] = None

    owner_database_url: Annotated[
        str | None,
        Meta(
            description="Address used for migrations only, where the service itself signs in with a login that may not change tables. "
            "Left out, migrations use the service's address.",
            extra={"secret": True},
        ),
    ] = None

    postgres_bin_dir: Annotated[
        Path | None,
        Meta(
            description="Folder with `postgres` and `initdb` for the embedded database. Left out, they are looked for in the installed "
            "wheel, in `/usr/lib/postgresql` and on the PATH, in this order."
        ),
    ] = None

    host: Annotated[
        str,
        Meta(min_length=1, description="Address the web server listens on. `0.0.0.0` listens on every network the machine has."),
    ] = "127.0.0.1"

    port: Annotated[
        int,
        Meta(ge=0, le=65535, description="Port the web server listens on; 0 takes any free one and prints it."),
    ] = 8000

    base_url: Annotated[
        str | None,
        Meta(
            description="Address under which people reach the service, used in links that leave it (mails, PDFs, calendar feeds), as "
            "`https://vendors.example.com`. Left out, links are made from host and port."
        ),
    ] = None

    roles: Annotated[
        tuple[Role, ...],
        Meta(
            min_length=1,
            description="What this process does, comma-separated: `web` answers requests, `clock` decides what is due, `worker` carries "
            "the work out. Several processes on one database may share the roles in any way.",
        ),
    ] = ("web", "clock", "worker")

    credentials_key: Annotated[
        Annotated[str, Meta(min_length=SECRET_KEY_CHARACTERS_MIN)] | None,
        Meta(
            description="Key that encrypts the credentials of sources in the database, at least 32 characters. Without it none can be kept "
            "there. Several, separated by commas, let a key be replaced: the first encrypts, all decrypt.",
            extra={"secret": True},
        ),
    ] = None

    secret_key: Annotated[
        Annotated[str, Meta(min_length=SECRET_KEY_CHARACTERS_MIN)] | None,
        Meta(
            description="Key that signs forms and links, at least 32 characters. Left out, one is generated into the data folder; set the "
            "same one for every process when several machines serve one database.",
            extra={"secret": True},
        ),
    ] = None

    out_dir: Annotated[
        Path,
        Meta(description="Folder that commands write files for people into, such as scorecard PDFs."),
    ] = Path("out")

    log_format: Annotated[
        LogFormat,
        Meta(description="`text` for people, `json` for machines (one object a line), `auto` for text on a terminal and JSON elsewhere."),
    ] = "auto"

    log_level: Annotated[
        LogLevel,
        Meta(description="The least important messages that are still written."),
    ] = "info"

    outbound_allow_private: Annotated[
        bool,
        Meta(
            description="Whether pulls and webhooks may reach private, loopback and link-local addresses. Leave this off unless the "
            "sources really stand in the same network: it is what keeps a source's address from being turned against that network."
        ),
    ] = False

    delivery_document: Annotated[
        Path | None,
        Meta(
            description="The delivery document: the mail server, who holds which role, and the endpoints that are told. See "
            "docs/delivery.md. Left out, messages wait in the outbox until somebody names one."
        ),
    ] = None

    outbound_proxy: Annotated[
        str | None,
        Meta(
            description="Proxy for everything the service fetches or sends over HTTP, as `http://user:password@proxy:3128`.",
            extra={"secret": True},
        ),
    ] = None

    raw_retention_days: Annotated[
        int,
        Meta(
            ge=1,
            description="How long the raw answers of sources are kept, in days. Measurements made from them stay; after this time they can "
            "no longer be traced to the bytes they came from.",
        ),
    ] = 400

    pdf_workers: Annotated[
        int,
        Meta(ge=1, le=64, description="Processes that render PDFs side by side. Each takes about 150 MB."),
    ] = 2

    paper: Annotated[
        Paper,
        Meta(description="Paper size of scorecards and packs."),
    ] = "a4"

    brand_name: Annotated[
        str,
        Meta(min_length=1, max_length=80, description="Name shown on pages, PDFs and mails: the organisation that buys the services."),
    ] = "Vendor management"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, /, **given: object) -> Self:
        """Read `VENDOR_MGMT_*` (and `DATABASE_URL`) from `environment`, by default the process's own.

        `given` are values from elsewhere, such as command-line options, by field name; they win, `None` means "not given", and text is read
        as it would be from the environment. Of a field that holds a secret, `<VARIABLE>_FILE` may name a file to read it from instead.

        Raises `SettingsError` with every fault at once, also for a `VENDOR_MGMT_` variable that nothing reads.
        """
        environment = os.environ if environment is None else environment
        findings: list[SettingFinding] = []
        values: dict[str, Any] = {}
        for field in fields():
            text = given.get(field.name)
            if text is None:
                text = _text_from_environment(field, environment, findings)
            if text is None:
                continue
            try:
                values[field.name] = msgspec.convert(_spread(text, field), field.annotation, strict=False, dec_hook=_to_path)
            except msgspec.ValidationError:
                # The library's words name Python types; the field's own say what to write.
                findings.append(field.finding(str(text), f"this is not {field.takes}"))
        findings += _unknown_variables(environment)
        if "data_dir" not in values:
            values["data_dir"] = default_data_dir(environment)
        settings = cls(**values)
        findings += _cross_check(settings)
        if findings:
            raise SettingsError(findings)
        return settings

    @property
    def public_url(self) -> str:
        """Where people reach the service, without a slash at the end."""
        if self.base_url is not None:
            return self.base_url.rstrip("/")
        host = "127.0.0.1" if self.host in EVERY_ADDRESS else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def backup_dir(self) -> Path:
        """Where `vendor-mgmt doctor` looks for the newest `pg_dump` file."""
        return self.data_dir / "backups"

    def __repr__(self) -> str:
        shown = ((field, getattr(self, field.name)) for field in fields())
        return f"Settings({', '.join(f'{field.name}={field.shown(value)}' for field, value in shown)})"


class SettingFinding(msgspec.Struct, frozen=True):
    """One value from outside that cannot be used."""

    name: str
    """The variable, as one would type it in a shell."""

    value: str
    """What it holds; `(hidden)` where it may hold a secret."""

    problem: str
    repair: str

    def __str__(self) -> str:
        return f"{self.name}={self.value}: {self.problem}. {self.repair}"


class SettingsError(Refused):
    """The environment cannot be used as it is; `findings` names every value to correct, and how."""

    def __init__(self, findings: list[SettingFinding]) -> None:
        self.findings = findings
        count = "1 setting" if len(findings) == 1 else f"{len(findings)} settings"
        super().__init__("\n".join([f"{count} cannot be used:", *(f"  {finding}" for finding in findings)]))


class Field(NamedTuple):
    """What the annotation of a field of `Settings` says about it."""

    name: str
    variable: str
    annotation: Any
    description: str
    default: Any
    is_required: bool
    is_secret: bool

    def shown(self, value: object) -> str:
        return "(hidden)" if self.is_secret and value is not None else repr(value)

    def finding(self, value: str, problem: str, repair: str = "") -> SettingFinding:
        shown = "(hidden)" if self.is_secret else repr(value)
        otherwise = "" if self.is_required or self.default is None else f" for {default_as_text(self)}"
        return SettingFinding(self.variable, shown, problem, repair or f"Set it to {self.takes}, or leave it out{otherwise}.")

    @property
    def takes(self) -> str:
        """What can be written, in words: `web, clock, worker (comma-separated)`, `a number from 1 to 64`, `true or false`."""
        kind, meta = _kind_and_bounds(self.annotation)
        if get_origin(kind) is Literal:
            return _listed(get_args(kind))
        if get_origin(kind) is tuple:
            return f"one or more of {', '.join(get_args(get_args(kind)[0]))}, comma-separated"
        if kind is bool:
            return "true or false"
        if kind is int:
            return f"a whole number from {meta.ge} to {meta.le}" if meta.le is not None else f"a whole number, at least {meta.ge}"
        if kind is Path:
            return "a path"
        return "text" if meta.min_length in (None, 1) else f"text of at least {meta.min_length} characters"


def fields() -> list[Field]:
    """Every field of `Settings`, in the order in which it is declared."""
    hints = get_type_hints(Settings, include_extras=True)
    found = []
    for field in msgspec.structs.fields(Settings):
        meta = next((part for part in get_args(hints[field.name]) if isinstance(part, Meta)), Meta())
        extra = meta.extra or {}
        found.append(
            Field(
                name=field.name,
                variable=extra.get("variable", PREFIX + field.name.upper()),
                annotation=hints[field.name],
                description=meta.description or "",
                default=None if field.required else field.default,
                is_required=field.required,
                is_secret=bool(extra.get("secret")),
            )
        )
    return found


def default_data_dir(environment: Mapping[str, str], *, as_root: bool | None = None) -> Path:
    """Where data goes if nobody says. Root's own home is closed to the user the database server runs as, hence `/var/lib`."""
    if os.geteuid() == 0 if as_root is None else as_root:
        return Path("/var/lib/vendor-mgmt")
    home = Path(environment.get("HOME") or Path.home())
    data_home = environment.get("XDG_DATA_HOME", "")
    # The XDG specification asks for relative values to be ignored.
    return (Path(data_home) if data_home.startswith("/") else home / ".local" / "share") / "vendor-mgmt"


def secret_key(settings: Settings) -> str:
    """The key that signs forms and links: the one that was set, or one kept in the data folder (made on first use, mode 0600).

    Raises `SettingsError` where the kept key cannot be read or is too short to be one.
    """
    if settings.secret_key is not None:
        return settings.secret_key
    path = settings.data_dir / "secret_key"
    make_private_dir(settings.data_dir)
    try:
        # The name appears complete or not at all, and never replaces another process's key: a link refuses to overwrite.
        draft = path.with_name(f".secret_key.{os.getpid()}.{secrets.token_hex(4)}")
        if not path.exists():
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(48))
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([_key_finding(path, f"the generated key cannot be read or made ({error})")]) from error
    if len(key) < SECRET_KEY_CHARACTERS_MIN:
        problem = f"the generated key holds {len(key)} characters instead of at least {SECRET_KEY_CHARACTERS_MIN}"
        raise SettingsError([_key_finding(path, problem)])
    return key


def make_private_dir(path: Path) -> None:
    """Make a folder, and the missing ones above it, without touching the rights of one that is there.

    For a normal user it is closed to everyone else (0700). Made by root it may be walked through but not listed (0711), because the
    database server below it runs as a user of its own; every file in it that matters is closed by its own mode.
    """
    mode = 0o711 if os.geteuid() == 0 else 0o700
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        try:
            folder.mkdir(0o700)
        except FileExistsError:
            # Another process was quicker; its folder is not ours to change.
            continue
        folder.chmod(mode)


def settings_as_markdown() -> str:
    """The text of `docs/settings.md`."""
    lines = [
        "# Settings",
        "",
        "Written from `vendor_mgmt/settings.py` by `python -m vendor_mgmt.settings`; a test keeps the two equal.",
        "",
        "Everything is set through environment variables. Values that are wrong are reported all at once, with the repair, and a",
        f"variable that begins with `{PREFIX}` and is not listed here is reported too. Where a value is a secret, the same name with",
        "`_FILE` at its end may name a file that holds it (as container platforms provide).",
        "",
    ]
    for field in fields():
        lines += [f"## `{field.variable}`", "", field.description, ""]
        default = "see above" if field.is_required else default_as_text(field)
        lines += [f"Takes {field.takes}. Default: {default}." + (" A secret: never logged." if field.is_secret else ""), ""]
    return "\n".join(lines).rstrip() + "\n"


def _kind_and_bounds(annotation: Any) -> tuple[Any, Meta]:
    """The type without its annotations and without `None`, and the innermost bounds given for it."""
    meta = Meta()
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *notes = get_args(annotation)
            meta = next((note for note in notes if isinstance(note, Meta)), meta)
        elif type(None) in get_args(annotation):
            annotation = next(part for part in get_args(annotation) if part is not type(None))
        else:
            return annotation, meta


def default_as_text(field: Field) -> str:
    match field.default:
        case None:
            return "not set"
        case bool(value):
            return f"`{str(value).lower()}`"
        case tuple(values):
            return f"`{','.join(values)}`"
        case value:
            return f"`{value}`"


def _text_from_environment(field: Field, environment: Mapping[str, str], findings: list[SettingFinding]) -> str | None:
    # An empty variable is how compose files say "not set".
    text = environment.get(field.variable) or None
    file = (environment.get(f"{field.variable}_FILE") or None) if field.is_secret else None
    if file is None:
        return text
    if text is not None:
        findings.append(field.finding(text, f"{field.variable}_FILE is set as well", "Set one of the two."))
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        repair = "Name a readable text file that holds nothing but the value."
        findings.append(SettingFinding(f"{field.variable}_FILE", repr(file), f"it cannot be read ({error})", repair))
        return None


def _spread(value: object, field: Field) -> object:
    if field.name == "roles" and isinstance(value, str):
        # Order and repetition carry no meaning here.
        return list(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    return value


def _to_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str | Path):
        return Path(value).expanduser()
    raise NotImplementedError(f"A setting of type {kind} cannot be read")


def _unknown_variables(environment: Mapping[str, str]) -> list[SettingFinding]:
    known = {field.variable for field in fields()} | {f"{field.variable}_FILE" for field in fields() if field.is_secret}
    findings = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            repair = f"Did you mean {near[0]}?" if near else "Remove it; docs/settings.md lists what can be set."
            # The value of a misspelt name may be a secret.
            findings.append(SettingFinding(name, "(hidden)", "there is no such setting", repair))
    return findings


def _cross_check(settings: Settings) -> list[SettingFinding]:
    by_name = {field.name: field for field in fields()}
    findings = []

    def check_url(name: str, schemes: tuple[str, ...], example: str) -> None:
        value = getattr(settings, name)
        if value is None:
            return
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError as error:
            findings.append(by_name[name].finding(value, f"it is not an address ({error})", f"Write it as {example}."))
            return
        if parts.scheme not in schemes:
            begins = f"it begins with {parts.scheme}://" if "://" in value else "it does not say how to talk to it"
            problem = f"{begins}; what can be used is {_listed(tuple(f'{scheme}://' for scheme in schemes))}"
            findings.append(by_name[name].finding(value, problem, f"Write it as {example}."))
        elif not parts.hostname and "postgres" not in parts.scheme:
            findings.append(by_name[name].finding(value, "it names no host", f"Write it as {example}."))

    for name in ("database_url", "owner_database_url"):
        check_url(name, ("postgresql", "postgres"), "postgresql://user:password@host:5432/database")
    check_url("base_url", ("http", "https"), "https://vendors.example.com")
    if settings.base_url is not None and not any(finding.name == by_name["base_url"].variable for finding in findings):
        parts = urlsplit(settings.base_url)
        beyond = "".join([parts.path.rstrip("/"), f"?{parts.query}" if parts.query else "", f"#{parts.fragment}" if parts.fragment else ""])
        if parts.username is not None:
            findings.append(by_name["base_url"].finding("(hidden)", "it holds a user or a password", "Write the host alone."))
        elif len(settings.base_url.split()) > 1:
            findings.append(by_name["base_url"].finding(settings.base_url, "there is a space in it", "Write it without."))
        elif beyond:
            # Pages link to each other from the root, so they would lead out of a folder.
            repair = f"Give the service a host of its own and write {settings.base_url.split(beyond)[0]}."
            findings.append(by_name["base_url"].finding(settings.base_url, f"it goes on after the host, with {beyond}", repair))
    check_url("outbound_proxy", ("http", "https", "socks5"), "http://proxy:3128")
    if settings.owner_database_url is not None and settings.database_url is None:
        field = by_name["owner_database_url"]
        findings.append(
            field.finding(settings.owner_database_url, "DATABASE_URL is not set", "Set both, or neither for the embedded database.")
        )
    return findings


def _key_finding(path: Path, problem: str) -> SettingFinding:
    repair = f"Set VENDOR_MGMT_SECRET_KEY, or correct {path} and its folder; removing the file signs everyone out."
    return SettingFinding("VENDOR_MGMT_SECRET_KEY", "(not set)", problem, repair)


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


if __name__ == "__main__":
    sys.stdout.write(settings_as_markdown())
