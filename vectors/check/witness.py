"""Cosignatures, requests to witnesses and policies, by docs/reference/ledger-format.md alone, like verify.py."""

import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from verify import Checkpoint, Key, Refused, blocks_of, from_base64, hashes, is_key_name, number

MAX_POLICY_BYTES = 65_536
MOST = 64
DECIMAL = re.compile(r"[1-9][0-9]*")


class WitnessKey:
    """A vkey of type 4."""

    def __init__(self, text):
        parts = text.split("+", 2)
        if len(parts) != 3 or not is_key_name(parts[0]):
            raise Refused("malformed", "not a vkey: name+id+key")
        self.name, key_id, encoded = parts
        typed = from_base64(encoded, "the key", 33)
        if typed[0] != 4:
            raise Refused("malformed", "not a witness's key")
        self.public_bytes = typed[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + typed).digest()[:4]
        if self.id.hex() != key_id:
            raise Refused("malformed", "the id is not that of this name and key")

    def time_of(self, checkpoint):
        """When it says that it has cosigned; `None` where no line is in its name."""
        lines = [data for name, key_id, data in checkpoint.signatures if (name, key_id) == (self.name, self.id)]
        if not lines:
            return None
        if len(lines) > 1:
            raise Refused("signed_twice", self.name)
        data, time = lines[0], int.from_bytes(lines[0][:8], "big")
        if len(data) != 72 or time >= 2**63:
            raise Refused("bad_signature", self.name)
        message = f"cosignature/v1\ntime {time}\n{checkpoint.text}"
        try:
            Ed25519PublicKey.from_public_bytes(self.public_bytes).verify(data[8:], message.encode())
        except InvalidSignature:
            raise Refused("bad_signature", self.name) from None
        return time


def request_of(data):
    """The size, the path and the checkpoint that a log sends."""
    head, text, signatures = blocks_of(data, 3)
    lines = head.split("\n")
    if not lines[0].startswith("old "):
        raise Refused("malformed", "no old size")
    return number(lines[0].removeprefix("old "), "the old size"), hashes(lines[1:], 63), Checkpoint(text, signatures)


class Policy:
    """A file of C2SP tlog-policy."""

    def __init__(self, text):
        if len(text.encode()) > MAX_POLICY_BYTES or re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
            raise Refused("malformed", "too long, or a control character")
        if text and not text.endswith("\n"):
            raise Refused("malformed", "cut: the last line does not end")
        self.logs, self.names, self.quorum, self.members = [], {}, None, set()
        for line in text.split("\n"):
            words = [word for word in re.split(r"[ \t]+", line) if word]
            if words and not words[0].startswith("#"):
                self.line(words)
        if self.quorum is None:
            raise Refused("malformed", "no quorum")

    def line(self, words):
        kind, words = words[0], words[1:]
        if kind == "log" and len(words) in (1, 2):
            try:
                key = Key(words[0])
            except ValueError as error:
                raise Refused("malformed", str(error)) from None
            self.add(self.logs, key)
        elif kind == "witness" and len(words) in (2, 3):
            key = WitnessKey(words[1])
            self.add([found for found in self.names.values() if isinstance(found, WitnessKey)], key)
            self.define(words[0], key)
        elif kind == "group" and len(words) > 2:
            self.define(words[0], self.group(words[1], words[2:]))
        elif kind == "quorum" and len(words) == 1 and self.quorum is None:
            if words[0] != "none" and words[0] not in self.names:
                raise Refused("malformed", f"{words[0]} is not defined above")
            self.quorum = words[0]
        else:
            raise Refused("malformed", "a line of no known form")

    @staticmethod
    def add(keys, key):
        if any(key.public_bytes == other.public_bytes for other in keys) or len(keys) == MOST:
            raise Refused("malformed", "a key twice, or too many")
        keys.append(key)

    def define(self, name, what):
        if name == "none" or name in self.names:
            raise Refused("malformed", f"{name} is taken")
        self.names[name] = what

    def group(self, least, members):
        for member in members:
            if member not in self.names or member in self.members:
                raise Refused("malformed", f"{member} is not defined above, or counts twice")
            self.members.add(member)
        if least not in ("any", "all") and not DECIMAL.fullmatch(least):
            raise Refused("malformed", "no threshold")
        least = {"any": 1, "all": len(members)}.get(least) or int(least)
        if least > len(members):
            raise Refused("malformed", "more than there are")
        return least, members

    def cosigned(self, checkpoint):
        """The names of the witnesses that have, if they are enough and one of the logs has signed."""
        if self.logs:
            checkpoint.verify(self.logs)
        witnesses = {name: what for name, what in self.names.items() if isinstance(what, WitnessKey)}
        has = {name for name, key in witnesses.items() if key.time_of(checkpoint) is not None}
        for name, what in self.names.items():
            if isinstance(what, tuple) and sum(member in has for member in what[1]) >= what[0]:
                has.add(name)
        if self.quorum != "none" and self.quorum not in has:
            raise Refused("quorum_not_met", self.quorum)
        return [name for name in witnesses if name in has]
