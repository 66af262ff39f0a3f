"""Which version this is: that of the installed distribution, which ``pyproject.toml`` says."""

from importlib.metadata import version

__version__ = version("expertcache")
