"""Everything toxiproxy-python can do, against a server: HOST PORT UPSTREAM."""
import socket
import sys
import time

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists  # noqa: F401

host, port, upstream = sys.argv[1], int(sys.argv[2]), sys.argv[3]
server = Toxiproxy()
server.update_api_consumer(host, port)
assert server.running()
assert b"version" in server.version()

proxy = server.create(upstream=upstream, name="db")
assert server.get_proxy("db").upstream == upstream
try:
    server.create(upstream=upstream, name="db")
    raise SystemExit("a second proxy of the same name was made")
except ProxyExists:
    pass


def connect():
    address, number = proxy.listen.rsplit(":", 1)
    return socket.create_connection((address, int(number)), timeout=20)


def ping(connection):
    start = time.monotonic()
    connection.sendall(b"ping")
    assert connection.recv(4) == b"ping"
    return time.monotonic() - start


connection = connect()
ping(connection)
proxy.add_toxic(type="latency", attributes={"latency": 100, "jitter": 0})
assert proxy.get_toxic("latency_downstream").attributes["latency"] == 100
assert ping(connection) >= 0.1
proxy.destroy_toxic("latency_downstream")
assert ping(connection) < 0.09

proxy.add_toxic(type="limit_data", stream="downstream", name="short", attributes={"bytes": 2})
connection.sendall(b"ping")
assert connection.recv(4) == b"pi"
assert connection.recv(4) == b""
server.reset()
assert proxy.toxics() == {}

with proxy.down():
    try:
        connect()
        raise SystemExit("a proxy that is down let somebody in")
    except ConnectionRefusedError:
        pass
ping(connect())

server.populate([{"name": "other", "upstream": upstream, "listen": "127.0.0.1:0"}])
assert set(server.proxies()) == {"db", "other"}
server.destroy_all()
assert server.proxies() == {}
