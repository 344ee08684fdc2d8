"""Encryption for a listener beyond this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq
import zmq.auth

from backend.service import ServeConfig, read_server_keys
from blender_addon.link import BackendClient, ClientKeys, Connected, Done, Endpoint, Lost, RemoteBackend
from blender_addon.protocol import limits
from blender_addon.protocol.errors import InputError
from tests.backend.dummy_backend import HANDLERS
from tests.backend.peers import events_until, peer, running

pytestmark = pytest.mark.skipif(not zmq.has("curve"), reason="libzmq without CURVE")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the server's keys and one allowed client; the client's secret lies beside it."""
    folder = tmp_path / "keys"
    (folder / "clients").mkdir(parents=True)
    zmq.auth.create_certificates(folder, "server")
    public, _ = zmq.auth.create_certificates(tmp_path, "alice")
    (folder / "clients" / "alice.key").write_bytes(Path(public).read_bytes())
    return folder


def client_keys(keys: Path, public: bytes, secret: bytes | None) -> ClientKeys:
    server, _ = zmq.auth.load_certificate(keys / "server.key")
    assert secret is not None
    return ClientKeys(server.decode(), public.decode(), secret.decode())


def test_a_known_client_works_and_needs_no_token(keys: Path, tmp_path: Path) -> None:
    own = client_keys(keys, *zmq.auth.load_certificate(tmp_path / "alice.key_secret"))
    config = ServeConfig(host="0.0.0.0", keys=read_server_keys(keys), handoff_path=tmp_path / "h.json")
    with running(HANDLERS, config, tmp_path) as place:
        client = BackendClient(RemoteBackend(Endpoint("127.0.0.1", place.port, keys=own)))
        job = client.submit("echo", {"a": 1})
        events = events_until(client, Done, Lost)
        assert isinstance(events[0], Connected)
        assert events[-1] == Done(job, {"a": 1})
        client.close()


def test_unknown_keys_wrong_servers_and_plain_clients_get_no_answer(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HELLO_SECONDS", 1.0)
    known = client_keys(keys, *zmq.auth.load_certificate(tmp_path / "alice.key_secret"))
    unknown = client_keys(keys, *zmq.curve_keypair())
    impostor = ClientKeys(zmq.curve_keypair()[0].decode(), known.public, known.secret)
    config = ServeConfig(keys=read_server_keys(keys), handoff_path=tmp_path / "h.json")
    with running(HANDLERS, config, tmp_path) as place:
        for own in (unknown, impostor):
            client = BackendClient(RemoteBackend(Endpoint("127.0.0.1", place.port, keys=own)))
            lost = events_until(client, Lost, Connected)[-1]
            assert isinstance(lost, Lost)
            assert "no backend answers" in str(lost.error)
            client.close()
        with peer(place) as plain:
            plain.hello()
            with pytest.raises(TimeoutError):
                plain.receive(0.5)


def test_key_folders_are_checked(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"server\.key_secret"):
        read_server_keys(tmp_path / "none")
    (keys / "clients" / "alice.key").unlink()
    with pytest.raises(InputError, match=r"\.key file"):
        read_server_keys(keys)
    (keys / "server.key_secret").write_bytes((keys / "server.key").read_bytes())
    with pytest.raises(InputError, match="no secret key"):
        read_server_keys(keys)


def test_malformed_keys_are_an_input_error() -> None:
    endpoint = Endpoint("127.0.0.1", 1, keys=ClientKeys("short", "short", "short"))
    client = BackendClient(RemoteBackend(endpoint))
    lost = events_until(client, Lost)[-1]
    assert isinstance(lost, Lost)
    assert isinstance(lost.error, InputError)
    client.close()
