"""The commands of `vendor-mgmt`, one module each; each module offers its click command under the name `command`."""

from vendor_mgmt import logs
from vendor_mgmt.settings import Settings


def begin(**given: object) -> Settings:
    """What every command that runs here begins with: the settings (`given` are its options, by field name) and the log.

    Raises `SettingsError` with everything that is wrong at once.
    """
    settings = Settings.from_environment(None, **given)
    logs.configure(settings)
    return settings
