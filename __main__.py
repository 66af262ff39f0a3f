"""``python -m expertcache``."""

import sys

from .command_line.parser import main

sys.exit(main())
