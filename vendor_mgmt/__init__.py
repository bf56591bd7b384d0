"""The running service: pulls, closes months, writes scorecards and tickets."""

import os

# Piccolo finds the engine and the apps through this variable; see vendor_mgmt/piccolo_conf.py.
os.environ.setdefault("PICCOLO_CONF", "vendor_mgmt.piccolo_conf")
