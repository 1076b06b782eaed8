"""`python -m dlcore` is `dlcore`."""

import sys

from dlcore.cli.main import main

sys.exit(main())
