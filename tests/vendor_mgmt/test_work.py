"""What the clock of a service calls, besides the dispatcher."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from vendor_mgmt import work
from vendor_mgmt.database import transaction
from vendor_mgmt.settings import Settings


async def test_raw_answers_past_their_retention_lose_their_content_and_keep_their_name(database: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with transaction() as connection:
        for number, days in enumerate((399, 401)):
            await connection.execute(
                "INSERT INTO raw_answer (sha256, size_bytes, content, kept_at) VALUES ($1, 3, 'abc', $2)",
                f"{number:064x}",
                now - timedelta(days=days),
            )

    settings = Settings(data_dir=tmp_path)
    _seconds, forget = work.wakes(settings)["retention"]
    await forget()

    async with transaction() as connection:
        kept = await connection.fetch("SELECT content IS NOT NULL AS has_content FROM raw_answer ORDER BY sha256")
    assert settings.raw_retention_days == 400
    assert [row["has_content"] for row in kept] == [True, False]
