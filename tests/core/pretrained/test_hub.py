from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants

from dlcore.pretrained import from_hub, from_url, hub

REPOSITORY = "acme/small-net"
FILES = ("model.safetensors", "pytorch_model.bin")
Serve = Callable[[str], None]


@pytest.fixture(autouse=True)
def _empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = partial(huggingface_hub.try_to_load_from_cache, cache_dir=tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", cached)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))


@pytest.fixture
def hub_at(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Makes the hub a server of ours, and says that there is a network."""

    def set_address(address: str) -> None:
        def url(repository: str, name: str, **_: Any) -> str:
            return f"{address}/{name}"

        monkeypatch.setattr(huggingface_hub, "hf_hub_url", url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    return set_address


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server and the folder that it shows."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def in_cache(folder: Path, name: str) -> Path:
    repository = folder / "hub" / f"models--{REPOSITORY.replace('/', '--')}"
    file = repository / "snapshots" / "abc" / name
    file.parent.mkdir(parents=True)
    file.touch()
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    return file


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_what_is_in_the_cache_needs_no_network(tmp_path: Path, name: str) -> None:
    file = in_cache(tmp_path, name)

    assert from_hub("small_net", REPOSITORY, FILES) == file


def test_offline_the_answer_is_immediate_and_says_how_to_go_on() -> None:
    start = time.monotonic()

    with pytest.raises(ValueError, match="HF_HUB_OFFLINE forbids to download") as refused:
        from_hub("small_net", REPOSITORY, FILES)

    assert time.monotonic() - start < 1
    for advice in ("pretrained: false", "pretrained: path/to/file", "HF_HOME"):
        assert advice in str(refused.value)


def test_a_server_that_never_answers_stops_it_within_five_seconds(
    hub_at: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "PATIENCE_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hub_at(f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()

        with pytest.raises(ValueError, match=r"(?s)cannot be had: .*pretrained: false"):
            from_hub("small_net", REPOSITORY, FILES)

    assert time.monotonic() - start < 1


def test_looking_up_a_name_may_hang_too(hub_at: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def head(self, *_: object, **__: object) -> None:
            time.sleep(30)

    hub_at("http://example.invalid")
    monkeypatch.setattr(hub, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(huggingface_hub, "get_session", Session)
    start = time.monotonic()

    with pytest.raises(ValueError, match=r"no answer from http://example\.invalid"):
        from_hub("small_net", REPOSITORY, FILES)

    assert time.monotonic() - start < 1


def test_the_patience_is_less_than_five_seconds() -> None:
    assert hub.PATIENCE_SECONDS < 5


def test_a_refused_connection_is_explained(hub_at: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    hub_at(f"http://127.0.0.1:{port}")

    with pytest.raises(ValueError, match=rf"http://127.0.0.1:{port}/.* cannot be reached"):
        from_hub("small_net", REPOSITORY, FILES)


def test_weights_are_downloaded_under_the_first_name_there_is(
    web: tuple[str, Path], hub_at: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = web
    (folder / "pytorch_model.bin").touch()
    hub_at(address)
    asked = []

    def download(repository: str, name: str, **_: Any) -> str:
        asked.append((repository, name))
        return str(folder / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)

    assert from_hub("small_net", REPOSITORY, FILES) == folder / "pytorch_model.bin"
    assert asked == [(REPOSITORY, "pytorch_model.bin")]


def test_a_failed_download_is_explained(
    web: tuple[str, Path], hub_at: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = web
    (folder / "model.safetensors").touch()
    hub_at(address)

    def download(*_: object, **__: object) -> str:
        raise OSError("No space left on device")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)

    with pytest.raises(ValueError, match=r"the download failed [(]No space left on device"):
        from_hub("small_net", REPOSITORY, FILES)


def test_a_repository_without_weights_is_explained(web: tuple[str, Path], hub_at: Serve) -> None:
    hub_at(web[0])

    with pytest.raises(ValueError, match=f"{REPOSITORY} holds none of model.safetensors"):
        from_hub("small_net", REPOSITORY, FILES)


def test_a_file_at_an_address_is_downloaded_once(web: tuple[str, Path], hub_at: Serve) -> None:
    address, folder = web
    hub_at(address)
    (folder / "net.pth").write_bytes(b"weights")

    path = from_url("small_net", f"{address}/net.pth")
    (folder / "net.pth").unlink()

    assert path.read_bytes() == b"weights"
    assert from_url("small_net", f"{address}/net.pth") == path


def test_an_address_with_nothing_is_explained(web: tuple[str, Path], hub_at: Serve) -> None:
    hub_at(web[0])
    with pytest.raises(ValueError, match=r"(?s)'small_net' cannot be had: there is nothing at "):
        from_url("small_net", f"{web[0]}/net.pth")
