"""Start the processes of a run on this machine, through torch's elastic launcher."""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from dlcore.data.workers import count_cores

INTERRUPTED = 130

_LOUD = ("agent.server.api", "multiprocessing.api", "multiprocessing.errors.error_handler")


def launch(num_processes: int, arguments: Sequence[str]) -> int:
    """Run `dlcore` with these arguments in several processes that train together.

    They share the terminal. When one fails, the others are ended.

    Args:
        num_processes: How many.
        arguments: As on the command line, without what asks for several processes.

    Returns:
        The exit code: that of the first process that failed, else 0.
    """
    for name in _LOUD:  # what they have to say, the processes say themselves
        logging.getLogger(f"torch.distributed.elastic.{name}").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, count_cores() // num_processes)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=num_processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.2,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "dlcore", *arguments)
    except ChildFailedError as error:
        _, first = error.get_first_failure()
        return first.exitcode if first.exitcode > 0 else INTERRUPTED
    except SignalException:
        return INTERRUPTED
    return 0
