"""Where Piccolo looks for the engine and for the apps.

Table classes name neither: on their first query they ask Piccolo, Piccolo asks the variable `PICCOLO_CONF`, and `vendor_mgmt/__init__.py`
points it here. That is how `contracts` and `scorecards` reach the database without importing anything of the service.
"""

from piccolo.conf.apps import AppRegistry

from vendor_mgmt.engine import DB

__all__ = ["APP_REGISTRY", "DB"]

APP_REGISTRY = AppRegistry(apps=["contracts.piccolo_app", "scorecards.piccolo_app", "vendor_mgmt.piccolo_app"])
