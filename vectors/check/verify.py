#!/usr/bin/env python3
"""Verifies receipts, checkpoints and pairs of checkpoints offline.

    verify.py FILE --key VKEY [--key VKEY …]

Written from docs/reference/ledger-format.md and nothing else, as a stranger would: that page is
complete if this program agrees with Bailiwick's own on every file in vectors/. Python's standard
library, and one function of the package `cryptography`, which verifies Ed25519.

Exit 0: verified. 6: not, with the reason. 2: the command line.
"""

import argparse
import base64
import hashlib
import hmac
import json
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_FILE_BYTES = 1_048_576
MAX_ENTRY_BYTES = 65_535
MAX_SIGNATURES = 64
MAX_NAME_BYTES = 256
MAX_DEPTH = 32
MAX_ACTION_BYTES = 100
INTEGERS = 2**53
GENERATIONS = 2**32

FIELDS = ("actor", "ip", "meta", "target")
ACTION = re.compile(r"[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)+")
HEX_32 = re.compile(r"[0-9a-f]{32}")
HEX_64 = re.compile(r"[0-9a-f]{64}")
NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
WORKSPACE = re.compile(r"ws_[0-7][0-9a-hjkmnp-tv-z]{25}")
LOG_NAME = re.compile(r"[a-z0-9.:_-]+(/[a-z0-9.:_-]+)*")
KEY_NAME = re.compile(r"[^\s+\x00-\x1f\x7f-\x9f]+")
EMPTY_ROOT = hashlib.sha256(b"").digest()


class Refused(Exception):
    """The reason, and the first bad seq if there is one."""

    def __init__(self, reason, detail, seq=None):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.seq = seq


# Bytes and numbers


def from_base64(text, what, length=None):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused("malformed", f"{what} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Refused("malformed", f"{what} is not canonical base64")
    if length is not None and len(data) != length:
        raise Refused("malformed", f"{what} has {len(data)} bytes, not {length}")
    return data


def number(text, what):
    if not NUMBER.fullmatch(text) or int(text) >= INTEGERS:
        raise Refused("malformed", f"{what} is not a number")
    return int(text)


def in_order(value):
    """With members sorted by UTF-16 code units."""
    if isinstance(value, list):
        return [in_order(item) for item in value]
    if isinstance(value, dict):
        return {name: in_order(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    return value


def canonical(value):
    return json.dumps(in_order(value), ensure_ascii=False, separators=(",", ":")).encode()


def small_integer(text):
    if abs(int(text)) >= INTEGERS:
        raise ValueError("an integer that not every language holds")
    return int(text)


def no_number(text):
    raise ValueError(f"{text} is no integer")


def from_canonical(data, reason):
    """The value, if `data` is its canonical form."""
    try:
        value = json.loads(data.decode(), parse_int=small_integer, parse_float=no_number, parse_constant=no_number)
        same = canonical(value) == data and depth(value) <= MAX_DEPTH
    except (ValueError, RecursionError):
        raise Refused(reason, "not JSON") from None
    if not same:
        raise Refused(reason, "not in canonical form")
    return value


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def is_integer(value, least=0, below=INTEGERS):
    return type(value) is int and least <= value < below


# Keys


def is_key_name(text):
    return KEY_NAME.fullmatch(text) and len(text.encode()) <= MAX_NAME_BYTES


class Key:
    """A vkey."""

    def __init__(self, text):
        parts = text.split("+", 2)
        if len(parts) != 3 or not is_key_name(parts[0]):
            raise ValueError("not a vkey: name+id+key")
        self.name, key_id, encoded = parts
        try:
            typed = from_base64(encoded, "the key", 33)
        except Refused as refused:
            raise ValueError(str(refused)) from None
        if typed[0] != 1:
            raise ValueError("not an Ed25519 key")
        self.text, self.public_bytes = text, typed[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + typed).digest()[:4]
        if self.id.hex() != key_id:
            raise ValueError("the key's id is not that of its name and bytes")
        self.public = Ed25519PublicKey.from_public_bytes(self.public_bytes)


# Merkle tree


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def check_inclusion(index, size, leaf, path, root):
    if index >= size:
        raise Refused("outside_tree", f"the checkpoint covers {size} entries", index)
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            raise Refused("path_length", "too long", index)
        if fn % 2 == 1 or fn == sn:
            r = node(p, r)
            while fn % 2 == 0 and fn > 0:
                fn, sn = fn // 2, sn // 2
        else:
            r = node(r, p)
        fn, sn = fn // 2, sn // 2
    if sn != 0:
        raise Refused("path_length", "too short", index)
    if r != root:
        raise Refused("not_included", "the path leads from the entry to another root", index)


def check_consistency(old, old_root, new, new_root, path):
    if new < old:
        raise Refused("shrank", f"from {old} to {new}", new)
    if new == old and new_root != old_root:
        raise Refused("two_roots", f"both of size {new}")
    if old in (0, new):
        if path:
            raise Refused("path_length", "too long")
        if old == 0 and old_root != EMPTY_ROOT:
            raise Refused("does_not_extend", "older root: not that of an empty tree")
        return
    if not path:
        raise Refused("path_length", "too short")
    if old & (old - 1) == 0:
        path = [old_root, *path]
    fn, sn = old - 1, new - 1
    while fn % 2 == 1:
        fn, sn = fn // 2, sn // 2
    a = b = path[0]
    for p in path[1:]:
        if sn == 0:
            raise Refused("path_length", "too long")
        if fn % 2 == 1 or fn == sn:
            a, b = node(p, a), node(p, b)
            while fn % 2 == 0 and fn > 0:
                fn, sn = fn // 2, sn // 2
        else:
            b = node(b, p)
        fn, sn = fn // 2, sn // 2
    if sn != 0:
        raise Refused("path_length", "too short")
    if a != old_root:
        raise Refused("does_not_extend", "older root: the path leads to another one")
    if b != new_root:
        raise Refused("does_not_extend", "newer root: it does not extend the older one")


def hashes(lines, most):
    if len(lines) > most:
        raise Refused("malformed", f"a path of more than {most} hashes")
    return [from_base64(line, "a hash", 32) for line in lines]


# Checkpoint


class Checkpoint:
    """A signed note whose text is a checkpoint: `text` and `signatures` without the empty line."""

    def __init__(self, text, signatures):
        self.read(text)
        lines = signatures.split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise Refused("malformed", "more than 64 signatures")
        self.signatures = [self.signature(line) for line in lines]

    @classmethod
    def of_text(cls, data):
        """Out of a daily root, which has no signature lines."""
        self = cls.__new__(cls)
        (text,) = blocks_of(data, 1)
        self.read(text)
        return self

    def read(self, text):
        self.text = text + "\n"
        lines = text.split("\n")
        if len(lines) < 3:
            raise Refused("malformed", "a checkpoint has at least three lines")
        self.origin = lines[0]
        self.size = number(lines[1], "the checkpoint's size")
        self.root = from_base64(lines[2], "the root", 32)

    @staticmethod
    def signature(line):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014" or not is_key_name(parts[1]):
            raise Refused("malformed", "not a signature line")
        data = from_base64(parts[2], "a signature")
        if len(data) < 5:
            raise Refused("malformed", "a signature is too short")
        return parts[1], data[:4], data[4:]

    def verify(self, keys):
        signed = set()
        for name, key_id, signature in self.signatures:
            known = {key.text: key for key in keys if (key.name, key.id) == (name, key_id)}
            if not known:
                continue
            if len(known) > 1:
                raise Refused("ambiguous_key", name)
            if (name, key_id) in signed:
                raise Refused("signed_twice", name)
            signed.add((name, key_id))
            try:
                known.popitem()[1].public.verify(signature, self.text.encode())
            except InvalidSignature:
                raise Refused("bad_signature", name) from None
        if not signed:
            raise Refused("no_known_signature", "signed by none of the given keys")
        if self.origin not in (name for name, _ in signed):
            raise Refused("other_logs_key", f"signed for {self.origin} by none of its own keys")


def origin_of(text):
    """The `ws`, `env` and `gen` that an origin means."""
    reason = "other_log"
    parts = text.split("/")
    generation = parts.pop()
    if not NUMBER.fullmatch(generation) or not is_integer(int(generation), 1, GENERATIONS):
        raise Refused(reason, "the generation is no number")
    if parts[-1:] == ["cell"]:
        name, ws, env = parts[:-1], "cell", "live"
    elif len(parts) > 3 and parts[-3] == "w" and WORKSPACE.fullmatch(parts[-2]) and parts[-1] in ("live", "test"):
        name, ws, env = parts[:-3], parts[-2], parts[-1]
    else:
        raise Refused(reason, "neither a workspace's log nor the cell's")
    name = "/".join(name)
    if len(name) > 128 or not LOG_NAME.fullmatch(name):
        raise Refused(reason, "not a log name")
    return ws, env, int(generation)


def blocks_of(data, count):
    """The file's parts between empty lines."""
    if len(data) > MAX_FILE_BYTES:
        raise Refused("malformed", "more than 1 MiB")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Refused("malformed", "not UTF-8") from None
    if any(c < " " and c != "\n" for c in text):
        raise Refused("malformed", "a control character")
    if not text.endswith("\n"):
        raise Refused("malformed", "cut: the last line does not end")
    blocks = text[:-1].split("\n\n")
    if len(blocks) != count or any(not block or block[0] == "\n" or block[-1] == "\n" for block in blocks):
        raise Refused("malformed", f"not {count} parts between empty lines")
    return blocks


# Receipt


def check_entry(entry):
    """The entry's members, if it is one."""
    reason = "not_an_entry"
    if len(entry) > MAX_ENTRY_BYTES:
        raise Refused(reason, "longer than 65,535 bytes")
    value = from_canonical(entry, reason)
    if not isinstance(value, dict) or set(value) != set("action c env gen prev seq trace ts v ws".split()):
        raise Refused(reason, "other members")
    c = value["c"]
    good = {
        "action": isinstance(value["action"], str)
        and ACTION.fullmatch(value["action"])
        and len(value["action"]) <= MAX_ACTION_BYTES,
        "c": isinstance(c, dict)
        and set(c) == set(FIELDS)
        and all(isinstance(h, str) and HEX_64.fullmatch(h) for h in c.values()),
        "env": value["env"] in ("live", "test"),
        "gen": is_integer(value["gen"], 1, GENERATIONS),
        "prev": isinstance(value["prev"], str) and HEX_64.fullmatch(value["prev"]),
        "seq": is_integer(value["seq"]),
        "trace": isinstance(value["trace"], str) and HEX_32.fullmatch(value["trace"]),
        "ts": is_integer(value["ts"]),
        "v": is_integer(value["v"], 1, 2),
        "ws": isinstance(value["ws"], str)
        and (WORKSPACE.fullmatch(value["ws"]) or (value["ws"] == "cell" and value["env"] == "live")),
    }
    bad = [name for name, ok in good.items() if not ok]
    if bad:
        raise Refused(reason, ", ".join(bad))
    if (value["seq"] == 0) != (value["prev"] == "0" * 64):
        raise Refused(reason, "the first entry, and no other, has nothing before it")
    return value


def extra_of(data):
    """The entry's bytes and the openings."""
    reason = "malformed"
    extra = from_canonical(data, reason)
    if not isinstance(extra, dict) or set(extra) != {"entry", "openings"}:
        raise Refused(reason, "extra has other members")
    entry, openings = extra["entry"], extra["openings"]
    if not isinstance(entry, str) or not isinstance(openings, dict) or not set(openings) <= set(FIELDS):
        raise Refused(reason, "extra has other members")
    opened = {}
    for field, opening in openings.items():
        if (
            not isinstance(opening, dict)
            or set(opening) != {"r", "value"}
            or not all(isinstance(member, str) for member in opening.values())
        ):
            raise Refused(reason, f"the opening of {field}")
        opened[field] = (from_base64(opening["r"], "r", 32), opening["value"])
    return entry.encode(), opened


def commitment(r, field, value):
    message = b"audit-field/v1\x00" + field.encode() + b"\x00" + value.encode()
    return hmac.new(r, message, hashlib.sha256).hexdigest()


def verify_receipt(data, keys):
    head, text, signatures = blocks_of(data, 3)
    lines = head.split("\n")
    if len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1":
        raise Refused("malformed", "not a receipt")
    if not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise Refused("malformed", "no extra, or no index")
    extra = from_base64(lines[1].removeprefix("extra "), "extra")
    index = number(lines[2].removeprefix("index "), "the index")
    path = hashes(lines[3:], 64)
    checkpoint = Checkpoint(text, signatures)
    entry, openings = extra_of(extra)
    checkpoint.verify(keys)
    try:
        value = check_entry(entry)
        log = origin_of(checkpoint.origin)
    except Refused as refused:
        refused.seq = index
        raise
    if (value["ws"], value["env"], value["gen"]) != log:
        raise Refused("other_log", f"the entry is not of {checkpoint.origin}", index)
    if value["seq"] != index:
        raise Refused("other_seq", f"the entry has seq {value['seq']}", index)
    check_inclusion(index, checkpoint.size, leaf_hash(entry), path, checkpoint.root)
    for field, (r, text) in sorted(openings.items()):
        if commitment(r, field, text) != value["c"][field]:
            raise Refused("wrong_opening", field, index)
    shown = "".join(f"\n  {field}: {text}" for field, (_, text) in sorted(openings.items()))
    return f"receipt of entry {index} of {checkpoint.origin}: {value['action']}{shown}"


# Two checkpoints


def verify_pair(data, keys):
    head, *rest = blocks_of(data, 5)
    lines = head.split("\n")
    if lines[0] != "bailiwick/tlog-consistency@v1":
        raise Refused("malformed", "not a pair of checkpoints")
    path = hashes(lines[1:], 128)
    old, new = Checkpoint(rest[0], rest[1]), Checkpoint(rest[2], rest[3])
    old.verify(keys)
    new.verify(keys)
    if old.origin != new.origin:
        raise Refused("other_origin", f"{old.origin} and {new.origin}")
    try:
        check_consistency(old.size, old.root, new.size, new.root, path)
    except Refused as refused:
        if refused.reason != "path_length":
            raise
        raise Refused("does_not_extend", str(refused)) from None
    return f"{new.origin} of size {new.size} extends that of size {old.size}"


# The command line


def verify_checkpoint(data, keys):
    checkpoint = Checkpoint(*blocks_of(data, 2))
    checkpoint.verify(keys)
    return f"checkpoint of {checkpoint.origin}, size {checkpoint.size}"


def verify(data, keys):
    if data.startswith(b"c2sp.org/tlog-proof@"):
        return verify_receipt(data, keys)
    if data.startswith(b"bailiwick/tlog-consistency@"):
        return verify_pair(data, keys)
    return verify_checkpoint(data, keys)


def main():
    parser = argparse.ArgumentParser(description="Verifies a receipt, a checkpoint, or two checkpoints.")
    parser.add_argument("file")
    parser.add_argument("--key", action="append", required=True, type=Key, help="a vkey")
    arguments = parser.parse_args()
    with open(arguments.file, "rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    try:
        print(f"verified: {verify(data, arguments.key)}")
    except Refused as refused:
        at = "" if refused.seq is None else f" (first bad seq {refused.seq})"
        print(f"refused: {refused}{at}")
        return 6
    return 0


if __name__ == "__main__":
    sys.exit(main())
