"""The container image and the compose file: linted, and held to the rest of the project. No container engine is needed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import dockerfile_steps, setup
from vendor_mgmt.__main__ import COMMANDS
from vendor_mgmt.settings import Settings, fields

PROJECT = setup.PROJECT
DOCKERFILE = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text(encoding="utf-8"))


def steps(*words: str) -> list[str]:
    return [argument for word, argument in dockerfile_steps.instructions(DOCKERFILE) if word in words]


def test_the_dockerfile_passes_its_linter() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, "--no-color", PROJECT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_would_object_to_a_careless_dockerfile(tmp_path: Path) -> None:
    careless = tmp_path / "Dockerfile"
    careless.write_text("FROM debian\nRUN apt-get install python3\n")
    done = subprocess.run([Path(sys.executable).with_name("hadolint"), careless], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DL3006" in done.stdout


def test_the_image_has_the_system_packages_that_set_up_asks_for() -> None:
    installed = re.findall(r"apt-get install --yes --no-install-recommends ([a-z0-9. -]+?) &&", steps("RUN")[-1])
    wanted = [p.name for p in setup.SYSTEM_PACKAGES if not p.tests_only and p.name != "python3-venv"]
    assert [names.split() for names in installed] == [wanted]


def test_the_image_installs_nothing_that_is_not_locked() -> None:
    installations = [command for step in steps("RUN") for command in step.split("&&") if "pip install" in command]
    assert len(installations) == 3
    for command in installations:
        assert "--require-hashes" in command or {"--no-index", "--no-deps"} <= set(command.split()), command


def test_the_service_in_the_image_is_not_root() -> None:
    (user,) = steps("USER")
    assert int(user) > 0


def test_what_the_image_copies_exists_and_reaches_the_builder() -> None:
    ignored = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    sources = [source for words in map(shlex.split, steps("COPY")) if not words[0].startswith("--") for source in words[:-1]]
    assert set(sources) == let_through
    for source in sources:
        assert (PROJECT / source).exists(), source


def test_the_image_starts_a_command_that_exists() -> None:
    assert steps("ENTRYPOINT") == ['["vendor-mgmt"]']
    assert steps("CMD") == ['["serve"]']
    assert "serve" in {command.name for command in COMMANDS}


def test_what_the_image_sets_is_a_setting() -> None:
    environment = dict(part.split("=", 1) for step in steps("ENV") for part in shlex.split(step))
    ours = {name: value for name, value in environment.items() if name.startswith("VENDOR_MGMT_")}
    settings = Settings.from_environment(ours)
    assert (settings.host, settings.port, settings.data_dir) == ("0.0.0.0", 8000, Path("/var/lib/vendor-mgmt"))  # noqa: S104 - in a container


def test_compose_sets_only_settings_that_exist_and_hands_secrets_over_as_files() -> None:
    secret = {field.variable: field.is_secret for field in fields()}
    for name, value in COMPOSE["services"]["service"]["environment"].items():
        variable = name.removesuffix("_FILE")
        assert variable in secret, name
        assert name.endswith("_FILE") == secret[variable], name
        if name.endswith("_FILE"):
            assert value in mounted_files(COMPOSE["services"]["service"]), name


@pytest.mark.parametrize("name", ["database", "service"])
def test_every_secret_config_and_volume_a_container_uses_is_declared(name: str) -> None:
    service = COMPOSE["services"][name]
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert {config["source"] for config in service.get("configs", [])} <= set(COMPOSE["configs"])
    assert {volume.split(":")[0] for volume in service["volumes"]} <= set(COMPOSE["volumes"])


def test_no_secret_is_written_in_the_compose_file() -> None:
    assert all(set(secret) == {"environment"} for secret in COMPOSE["secrets"].values())
    (address,) = (config["content"] for config in COMPOSE["configs"].values())
    assert re.fullmatch(r"postgresql://vendor_mgmt:\$\{DATABASE_PASSWORD:\?[^}]+\}@database:5432/vendor_mgmt", address)


def test_the_service_waits_for_a_database_that_answers() -> None:
    database, service = COMPOSE["services"]["database"], COMPOSE["services"]["service"]
    assert service["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert database["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert len(steps("HEALTHCHECK")) == 1


def test_the_database_is_postgresql_18_with_its_volume_where_that_image_keeps_data() -> None:
    database = COMPOSE["services"]["database"]
    assert database["image"] == "postgres:18"
    assert database["volumes"] == ["database:/var/lib/postgresql"]


def test_the_service_is_open_to_its_own_machine_only() -> None:
    assert COMPOSE["services"]["service"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "ports" not in COMPOSE["services"]["database"]


# The program that runs the steps without an engine


def test_steps_run_as_an_engine_would_run_them(tmp_path: Path) -> None:
    context = tmp_path / "context"
    (context / "folder").mkdir(parents=True)
    (context / "folder" / "inner").write_text("inner")
    (context / "one").write_text("one")
    (context / "two").write_text("two")
    image = tmp_path / "image"
    dockerfile = f"""
        FROM somewhere AS first
        # a remark
        ENV GREETING=hello \\
            # a remark in between
            OTHER=$GREETING-there
        WORKDIR {image}/work
        COPY one two ./
        COPY folder copied
        COPY one under/renamed
        RUN echo "$GREETING" > said \\
            && test "$PWD" = {image}/work
        FROM somewhere
        COPY --from=first /work /work
        RUN echo "[${{GREETING-}}] in $PWD" > {image}/later
        CMD ["x"]
    """
    script = dockerfile_steps.script(dockerfile.replace("\n        ", "\n"), context, ["touch", str(image / "last")])
    subprocess.run(["bash"], input=script, text=True, check=True, capture_output=True)
    work = image / "work"
    files = {str(path.relative_to(work)) for path in work.rglob("*") if path.is_file()}
    assert files == {"one", "two", "copied/inner", "under/renamed", "said"}
    assert (work / "said").read_text() == "hello\n"
    assert (image / "later").read_text() == "[] in /\n"
    assert (image / "last").exists()


def test_a_failing_step_stops_the_script(tmp_path: Path) -> None:
    script = dockerfile_steps.script(f"FROM x\nRUN false | true\nRUN touch {tmp_path}/reached\n", tmp_path, [])
    assert subprocess.run(["bash"], input=script, text=True, check=False, capture_output=True).returncode != 0
    assert not (tmp_path / "reached").exists()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become another user")
def test_the_last_command_runs_as_the_images_user(tmp_path: Path) -> None:
    script = dockerfile_steps.script("FROM x\nUSER 10001\n", tmp_path, ["id", "-u"])
    done = subprocess.run(["bash"], input=script, text=True, check=True, capture_output=True, cwd="/")
    assert done.stdout.splitlines()[-1] == "10001"


def test_an_unknown_instruction_is_an_error_rather_than_a_step_left_out() -> None:
    with pytest.raises(ValueError, match="ONBUILD"):
        dockerfile_steps.script("FROM x\nONBUILD RUN true\n", PROJECT, [])


def mounted_files(service: dict[str, Any]) -> set[str]:
    return {f"/run/secrets/{name}" for name in service.get("secrets", [])} | {config["target"] for config in service.get("configs", [])}
