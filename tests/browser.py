"""A headless Chromium, driven over a pipe: what a page shows, says and asks for."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
PATIENCE = 120.0
"""Seconds to wait for an answer; a loaded machine starts a browser slowly."""


def find_browser() -> str | None:
    """The path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """A tab.

    Attributes:
        requests: The addresses that were asked for.
        complaints: What was written to the console, and errors.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._number, self._rest, self._session = 0, b"", ""
        self._events: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, path: Path, width: int, height: int = 800, *, dark: bool = False) -> None:
        """Show a file in a window of a size, as if it were the first page of a new tab."""
        mobile = width < 600
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self.requests.clear()
        self.complaints.clear()
        self._events.clear()
        self._call("Page.navigate", url=path.resolve().as_uri())
        end = time.monotonic() + PATIENCE
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._take(self._receive(end))

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page as a PNG."""
        self._save(path, self._call("Page.captureScreenshot", captureBeyondViewport=True))

    def print(self, path: Path) -> None:
        """The page on A4 paper as a PDF."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True}
        self._save(path, self._call("Page.printToPDF", printBackground=True, **paper))

    def _save(self, path: Path, answer: Mapping[str, Any]) -> None:
        path.write_bytes(base64.b64decode(answer["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._receive(end)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._take(answer)

    def _receive(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert time.monotonic() < end, "the browser does not answer"
            try:
                chunk = os.read(self._reading, 1 << 20)
            except BlockingIOError:
                time.sleep(0.01)
                continue
            assert chunk, "the browser is gone"
            self._rest += chunk
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def _take(self, message: dict[str, Any]) -> None:
        method, about = message.get("method", ""), message.get("params", {})
        self._events.append({"method": method})
        if method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(about["entry"]["text"])
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(about))


@contextmanager
def open_browser(executable: str, folder: Path) -> Iterator[Page]:
    """Start a browser with a profile of its own, and end it.

    Args:
        executable: Of Chromium.
        folder: An empty one, for the profile.
    """
    to_browser, from_browser = os.pipe(), os.pipe()
    os.set_blocking(from_browser[0], False)
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    inside = f'exec 3<&{to_browser[0]} 4>&{from_browser[1]}; exec "$@"'
    command = [executable, *FLAGS, *root, f"--user-data-dir={folder}"]
    with (folder / "browser.log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-c", inside, "browser", *command],
            pass_fds=(to_browser[0], from_browser[1]),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        yield Page(from_browser[0], to_browser[1])
    finally:
        os.close(to_browser[1])  # a browser leaves when its pipe is closed
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(from_browser[0])
