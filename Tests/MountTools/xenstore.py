"""A small client of a xenstore's unix socket, for the tests' scripts: shares no code with xsfs."""

import socket
import struct

HEADER = struct.Struct("=IIII")  # type, request, transaction, length of the payload
DIRECTORY, READ, GET_PERMS, WRITE, MKDIR, RM, SET_PERMS, ERROR = 1, 2, 3, 11, 12, 13, 14, 16
EVENT = 15
TRANSACTION_START, TRANSACTION_END = 6, 7
BATCH = 200  # requests that are on their way at a time


class Refused(Exception):
    """The store answered with an error."""


class Store:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.incoming = b""
        self.outgoing = bytearray()
        self.pending = 0
        self.number = 0  # of the transaction that requests are in

    # One request, and its answer.

    def call(self, kind, payload):
        self.socket.sendall(HEADER.pack(kind, 0, self.number, len(payload)) + payload)
        return self.answer()

    def answer(self):
        while True:
            kind, payload = self.message()
            if kind == ERROR:
                raise Refused(payload[:-1].decode())
            if kind != EVENT:
                return payload

    def message(self):
        while len(self.incoming) < HEADER.size or len(self.incoming) < self.end():
            data = self.socket.recv(65536)
            if not data:
                raise Refused("the store closed the connection")
            self.incoming += data
        end, kind = self.end(), HEADER.unpack_from(self.incoming)[0]
        payload = self.incoming[HEADER.size:end]
        self.incoming = self.incoming[end:]
        return kind, payload

    def end(self):
        return HEADER.size + HEADER.unpack_from(self.incoming)[3]

    def write(self, path, value):
        self.call(WRITE, path.encode() + b"\0" + str(value).encode())

    def read(self, path):
        return self.call(READ, path.encode() + b"\0")

    def remove(self, path):
        self.call(RM, path.encode() + b"\0")

    def set_permissions(self, path, *entries):
        self.call(SET_PERMS, b"".join(f"{part}\0".encode() for part in (path, *entries)))

    def transaction(self, changes):
        """Writes values to keys, and removes those whose value is None, all at once."""
        self.number = int(self.call(TRANSACTION_START, b"\0")[:-1])
        for path, value in changes.items():
            if value is None:
                self.remove(path)
            else:
                self.write(path, value)
        self.call(TRANSACTION_END, b"T\0")
        self.number = 0

    # Many requests, pipelined, that must succeed.

    def post(self, kind, payload):
        self.outgoing += HEADER.pack(kind, 0, 0, len(payload)) + payload
        self.pending += 1
        if self.pending >= BATCH:
            self.flush()

    def flush(self):
        """Sends what waits, and takes the answers."""
        self.socket.sendall(self.outgoing)
        self.outgoing.clear()
        while self.pending:
            self.answer()
            self.pending -= 1
