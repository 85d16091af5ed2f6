#!/usr/bin/env python3
"""The vault's formats, written from docs/reference/vault-formats.md alone, and run on the golden files.

    vault.py [DIRECTORY WITH THE GOLDEN FILES]

Every good case must come out as its file says, and every bad one be refused for its reason.
"""

import hashlib
import json
import sys
from pathlib import Path

DEPTH = 32


class Malformed(Exception):
    pass


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


KINDS = [puncturable]


def faults(kind, cases):
    """What was not as the golden file says."""
    for case in cases["good"]:
        try:
            found = kind(case["input"])
        except Malformed as malformed:
            found = f"malformed: {malformed}"
        if found != case["expect"]:
            yield f"{case['name']}: {found}, and not {case['expect']}"
    for case in cases["bad"]:
        try:
            kind(case["input"])
            yield f"{case['name']}: accepted, and not {case['reason']}"
        except Malformed:
            if case["reason"] != "malformed":
                yield f"{case['name']}: malformed, and not {case['reason']}"


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
