"""Clients that POST over connections that stay open, and remember what was acknowledged."""

import json
import random
import socket
import threading
import time


class Client(threading.Thread):
    """Sends its events one after the other; one that is not answered is not sent again."""

    def __init__(self, number, seed, port):
        super().__init__(daemon=True)
        self.number, self.port = number, port
        self.random = random.Random("%s %d" % (seed, number))
        self.n = 0
        self.acked = []             # (id, n, when)
        self.refused = 0
        self.go, self.idle, self.ending = threading.Event(), threading.Event(), False
        self.idle.set()

    def run(self):
        while True:
            self.idle.set()
            self.go.wait()
            if self.ending:
                return
            self.idle.clear()
            try:
                self.session()
            except OSError:
                time.sleep(0.002)   # nobody there: the daemon is being killed or started

    def session(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = s.makefile("rb")
            while self.go.is_set() and not self.ending:
                s.sendall(self.request())
                self.take(*answer(reader))

    def request(self):
        self.n += 1
        size = self.random.choice((0, 10, 100, 1000, 1000, 5000))
        body = json.dumps({"event": "c%d" % self.number, "n": self.n,
                           "pad": self.random.randbytes(size // 2).hex()}).encode()
        return (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body)) + body

    def take(self, status, body):
        if status == 202:
            self.acked.append((json.loads(body)["id"], self.n, time.monotonic()))
        elif status == 503:
            self.refused += 1
        else:
            raise AssertionError("status %d: %r" % (status, body))


def answer(reader):
    """Status and body of one response."""
    line = reader.readline()
    if not line:
        raise ConnectionError("closed")
    status, length = int(line.split()[1]), 0
    while (head := reader.readline()) not in (b"\r\n", b""):
        name, _, value = head.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = reader.read(length)
    if len(body) < length:
        raise ConnectionError("closed")
    return status, body


class Load:
    def __init__(self, clients, seed, port):
        self.clients = [Client(i, seed, port) for i in range(clients)]
        for client in self.clients:
            client.start()

    def start(self):
        for client in self.clients:
            client.go.set()

    def pause(self):
        """No more requests; wait for the answers to those under way."""
        for client in self.clients:
            client.go.clear()
        for client in self.clients:
            client.idle.wait()

    def end(self):
        for client in self.clients:
            client.ending = True
            client.go.set()
        for client in self.clients:
            client.join()

    def acked(self):
        return [ack for client in self.clients for ack in list(client.acked)]
