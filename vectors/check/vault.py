#!/usr/bin/env python3
"""The vault's formats, written from docs/reference/vault-formats.md alone, and run on the golden files.

    vault.py [DIRECTORY WITH THE GOLDEN FILES]

Every good case must come out as its file says, and every bad one be refused for its reason.
"""

import hashlib
import hmac
import json
import sys
from base64 import b64decode
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

DEPTH = 32


class Refused(Exception):
    """For a reason, which is a word of the page."""


class Malformed(Refused):
    def __str__(self):
        return "malformed"


# Puncturable keys: a state is a dictionary from a node's bits, as text, to its 32 bytes.


def child(parent, bit):
    return hashlib.sha256(b"bailiwick/ggm/v1" + bytes([int(bit)]) + parent).digest()


def bits_of(subject):
    return format(subject, "032b")


def derive(state, subject):
    leaf = bits_of(subject)
    for length in range(DEPTH + 1):
        key = state.get(leaf[:length])
        if key is not None:
            for bit in leaf[length:]:
                key = child(key, bit)
            return key
    return None


def puncture(state, subject):
    leaf = bits_of(subject)
    above = next((leaf[:length] for length in range(DEPTH + 1) if leaf[:length] in state), None)
    if above is None:
        return
    key = state.pop(above)
    for length in range(len(above), DEPTH):
        way, other = leaf[length], "10"[int(leaf[length])]
        state[leaf[:length] + other] = child(key, other)
        key = child(key, way)


def encode(state):
    nodes = sorted((int(bits.ljust(DEPTH, "0"), 2), len(bits), key) for bits, key in state.items())
    encoded = (bytes([depth]) + first.to_bytes(4, "big") + key for first, depth, key in nodes)
    return b"\x01" + len(nodes).to_bytes(4, "big") + b"".join(encoded)


def decode(data):
    if data[:1] != b"\x01" or len(data) < 5 or len(data) != 5 + 37 * int.from_bytes(data[1:5], "big"):
        raise Malformed("version or length")
    state, end = {}, 0
    for at in range(5, len(data), 37):
        depth, first, key = data[at], int.from_bytes(data[at + 1 : at + 5], "big"), data[at + 5 : at + 37]
        bits = bits_of(first)[:depth]
        if depth > DEPTH or first % 2 ** (DEPTH - depth) != 0 or first < end:
            raise Malformed("a node's place")
        if bits[-1:] == "1" and bits[:-1] + "0" in state:
            raise Malformed("siblings")
        state[bits], end = key, first + 2 ** (DEPTH - depth)
    if encode(state) != data:
        raise Malformed("another spelling")
    return state


def puncturable(case):
    found = {}
    if "state" in case:
        state = decode(bytes.fromhex(case["state"]))
    else:
        state = {"": bytes.fromhex(case["seed"])}
        for subject in case["puncture"]:
            puncture(state, subject)
        found["state"] = encode(state).hex()
    found["punctured"] = 2**DEPTH - sum(2 ** (DEPTH - len(bits)) for bits in state)
    keys = (derive(state, subject) for subject in case["subjects"])
    return {**found, "keys": [key and key.hex() for key in keys]}


# What the others are made of.


def hmac_sha256(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


def hkdf(key, info, salt=b""):
    """HKDF-SHA256 (RFC 5869) of one block."""
    return hmac_sha256(hmac_sha256(salt or bytes(32), key), info + b"\x01")


def parts(*all_of_them):
    return b"".join(len(part).to_bytes(4, "big") + part for part in all_of_them)


def aes_open(key, nonce_and_rest, data, reason):
    if len(nonce_and_rest) < 12 + 16:
        raise Refused(reason)
    try:
        return AESGCM(key).decrypt(nonce_and_rest[:12], nonce_and_rest[12:], data)
    except InvalidTag:
        raise Refused(reason) from None


# Envelopes.


def open_envelope(keys, dek, owner, label, row, sealed, subject=None, state=None):
    """`keys` are the owner's data keys by version. Gives the plaintext, the version and the associated data."""
    header, rest = sealed[:25], sealed[25:]
    if header[:4] != b"BW\x01\x01" or len(rest) < 12 + 16 or header[24] > 1:
        raise Malformed
    version = int.from_bytes(header[20:24], "big")
    if header[4:20] != dek.bytes or version not in keys:
        raise Refused("unknown_key")
    if header[24] != (subject is not None):
        raise Refused("does_not_open")
    salt = b"" if subject is None else derive(state, subject)
    if salt is None:
        raise Refused("erased")
    data = header + parts(owner.bytes, label.encode(), row)
    key = hkdf(keys[version], b"bailiwick/seal/v1\0" + label.encode(), salt)
    return aes_open(key, rest, data, "does_not_open"), version, data


def data_keys(case):
    return {int(version): bytes.fromhex(key) for version, key in case["data_keys"].items()}


def envelope(case):
    row = parts(*(part.encode() for part in case["row"]))
    state = decode(bytes.fromhex(case["state"])) if "state" in case else None
    owner, sealed = UUID(case["owner"]), bytes.fromhex(case["envelope"])
    plaintext, version, data = open_envelope(
        data_keys(case), UUID(case["dek"]), owner, case["label"], row, sealed, case.get("subject"), state
    )
    return {"plaintext": plaintext.hex(), "version": version, "associated_data": data.hex()}


# Wrapped data keys.


def unwrap(case, row, owner):
    """What the KEK's file unwraps, and what it was bound to."""
    about = UUID(case["cell"]).bytes + owner.bytes + UUID(row["dek"]).bytes + row["version"].to_bytes(4, "big")
    file, version = json.loads(case["kek_file"]), row["kek_version"]
    kek = next((b64decode(key["key"]) for key in file["keys"] if key["version"] == version), None)
    if kek is None or row["kek"] != "local/" + file["id"]:
        raise Refused("kek_missing")
    data = b"bailiwick/wrap/v1\0" + version.to_bytes(4, "big") + about
    return aes_open(kek, bytes.fromhex(row["wrapped"]), data, "wrap_refused"), about


def wrapped(case):
    cell, owner = UUID(int=0), UUID(case["owner"])
    if owner == cell:
        return {"data_key": unwrap(case, case["row"], cell)[0].hex()}
    row, stored = case["cell_row"], bytes.fromhex(case["object"])
    keys = {row["version"]: unwrap(case, row, cell)[0]}
    if stored.startswith(b"{") and "shredded_at_ms" in json.loads(stored):
        raise Refused("shredded")
    name = parts(str(owner).encode())
    inside, _, _ = open_envelope(keys, UUID(row["dek"]), cell, "anchored/v1", name, stored)
    binding, state = inside[1:33], inside[33:]
    if inside[:1] != b"\x01" or not decode(state):
        raise Malformed
    bound, about = unwrap(case, case["row"], owner)
    data_key = aes_open(hkdf(binding, b"bailiwick/binding/v1"), bound, about, "wrap_refused")
    return {"data_key": data_key.hex(), "state": state.hex()}


# Blind indexes, and MACs over rows.


def blind_index(case):
    info = b"bailiwick/index/v1\0" + case["label"].encode()
    keys = [key for _, key in sorted(data_keys(case).items(), reverse=True)]
    indexes = [hmac_sha256(hkdf(key, info), bytes.fromhex(case["value"])).hex() for key in keys]
    if case["index"] not in indexes:
        raise Refused("not_found")
    return {"newest": indexes[0]}


def maybe(part):
    return parts(b"\0") if part is None else parts(b"\x01", part)


MEANS = {
    "bytes": lambda part: parts(bytes.fromhex(part)),
    "text": lambda part: parts(part.encode()),
    "uuid": lambda part: parts(UUID(part).bytes),
    "maybe": lambda part: maybe(None if part is None else bytes.fromhex(part)),
    "moment_us": lambda part: maybe(None if part is None else part.to_bytes(16, "big", signed=True)),
    "list": lambda part: parts(len(part).to_bytes(4, "big"), *(text.encode() for text in part)),
}


def row_mac(case):
    keys, mac = data_keys(case), bytes.fromhex(case["mac"])
    version, info = int.from_bytes(mac[:4], "big"), b"bailiwick/mac/v1\0" + case["label"].encode()
    if len(mac) >= 4 and version not in keys:
        raise Refused("unknown_key")
    meaning = b"".join(MEANS[kind](value) for part in case["meaning"] for kind, value in part.items())
    if len(mac) < 4 or not hmac.compare_digest(hmac_sha256(hkdf(keys[version], info), meaning), mac[4:]):
        raise Refused("not_vouched")
    return {"newest": version == max(keys)}


KINDS = [puncturable, envelope, wrapped, blind_index, row_mac]


def faults(kind, cases):
    """What was not as the golden file says."""
    for case in cases["good"]:
        try:
            found = kind(case["input"])
        except Refused as refused:
            found = f"refused: {refused}"
        if found != case["expect"]:
            yield f"{case['name']}: {found}, and not {case['expect']}"
    for case in cases["bad"]:
        try:
            kind(case["input"])
            yield f"{case['name']}: accepted, and not {case['reason']}"
        except Refused as refused:
            if case["reason"] != str(refused):
                yield f"{case['name']}: {refused}, and not {case['reason']}"


def main():
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent
    count, found = 0, []
    for kind in KINDS:
        cases = json.loads((directory / f"{kind.__name__}.json").read_text())
        count += len(cases["good"]) + len(cases["bad"])
        found += [f"{kind.__name__}.json: {fault}" for fault in faults(kind, cases)]
    print("\n".join(found + [f"{count} cases, {len(found)} faults"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
