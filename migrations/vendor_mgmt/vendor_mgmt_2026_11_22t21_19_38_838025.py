# Written by `vendor-mgmt migrate new` from the tables as they then were. Read it before it is committed; afterwards it is never changed.
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.constraints import Check

ID = "2026-11-22T21:19:38:838025"
VERSION = "1.38.0"
DESCRIPTION = "Let a claim lower a target"


async def forwards() -> MigrationManager:
    manager = MigrationManager(
        migration_id=ID, app_name="vendor_mgmt", description=DESCRIPTION
    )

    manager.drop_constraint(
        table_class_name="ReliefClaim",
        tablename="relief_claim",
        constraint_name="relief_claim_effect_is_known",
        schema=None,
    )

    manager.add_constraint(
        table_class_name="ReliefClaim",
        tablename="relief_claim",
        constraint_name="relief_claim_effect_is_one_of_four",
        constraint_class=Check,
        params={
            "condition": "effect in ('drop_span', 'drop_period', 'cancel_money', 'lower_target')"
        },
        schema=None,
    )

    return manager
