"""Work that goes on beside the network: reading ahead, and writing behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

_PATIENCE = 0.1  # seconds until a thread looks whether it is still wanted


class _End:
    """Nothing more comes, or what was raised instead."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextmanager
def read_ahead(items: Iterable[Item], size: int) -> Iterator[Iterator[Item]]:
    """Take items in a thread; at most `size` of them wait.

    What the items raise is raised where they are used.
    """
    waiting: queue.Queue[Any] = queue.Queue(maxsize=size)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_PATIENCE)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_End())
        except BaseException as error:  # noqa: BLE001  raised again by whoever waits
            put(_End(error))

    def taken() -> Iterator[Item]:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    thread = threading.Thread(target=work, name="read ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopped.set()
        thread.join()


class WriteBehind(Generic[Item]):
    """Hands items to a function in a thread; at most `size` of them wait.

    Args:
        write: Called with each item, in their order.
        size: How many may wait.
    """

    def __init__(self, write: Callable[[Item], None], size: int = 4) -> None:
        self._write = write
        self._waiting: queue.Queue[Any] = queue.Queue(maxsize=size)
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="write behind", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Let an item be written; raises what an earlier one raised."""
        self._raise()
        self._waiting.put(item)

    def finish(self) -> None:
        """Wait until all is written; raises what went wrong."""
        self._end()
        self._raise()

    def cancel(self) -> None:
        """Write nothing more."""
        self._stopped = True
        self._end()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._waiting.put(_End())
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        # Goes on taking items after an error, so that nobody waits for a place.
        while not isinstance(item := self._waiting.get(), _End):
            if self._error is None and not self._stopped:
                try:
                    self._write(item)
                except BaseException as error:  # noqa: BLE001  raised again by `put`
                    self._error = error
