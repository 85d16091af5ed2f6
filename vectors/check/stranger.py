#!/usr/bin/env python3
"""Runs verify.py, whole.py and witness.py, which were written from the format's page alone, on the golden files.

    stranger.py [DIRECTORY WITH THE GOLDEN FILES]

Every good case must verify, and every bad one be refused for the reason that its file names, at the seq that it names.
"""

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
import verify as v  # noqa: E402
import whole as w  # noqa: E402
import witness  # noqa: E402


def keys_of(texts):
    return [v.Key(text) for text in texts]


def vkey(case):
    try:
        key = v.Key(case["vkey"])
    except ValueError as error:
        raise v.Refused("malformed", str(error)) from None
    return {"name": key.name, "key_id": key.id.hex()}


def canonical(case):
    if "value" in case:
        return {"canonical": v.canonical(case["value"]).decode()}
    v.from_canonical(case["json"].encode(), "malformed")
    return {}


def origin(case):
    try:
        ws, env, generation = v.origin_of(case["origin"])
    except v.Refused as refused:
        raise v.Refused("malformed", str(refused)) from None
    return {"ws": ws, "env": env, "gen": generation}


def entry(case):
    data = case["entry"].encode()
    value = v.check_entry(data)
    return {"leaf_hash": v.leaf_hash(data).hex(), **{name: value[name] for name in ("seq", "gen", "prev")}}


def commitment(case):
    r = v.from_base64(case["r"], "r", 32)
    if v.commitment(r, case["field"], case["value"]) != case["commitment"]:
        raise v.Refused("wrong_opening", case["field"])
    return {}


def chain(case):
    size, root = w.walk([text.encode() for text in case["entries"]], case["origin"])
    return {"size": size, "root": root.hex()}


def tree(case):
    return {"root": w.root_of([v.leaf_hash(text.encode()) for text in case["entries"]]).hex()}


def inclusion(case):
    path = [bytes.fromhex(text) for text in case["path"]]
    leaf, root = bytes.fromhex(case["leaf"]), bytes.fromhex(case["root"])
    v.check_inclusion(case["index"], case["size"], leaf, path, root)
    return {}


def consistency(case):
    path = [bytes.fromhex(text) for text in case["path"]]
    old_root, new_root = bytes.fromhex(case["old_root"]), bytes.fromhex(case["new_root"])
    v.check_consistency(case["old_size"], old_root, case["new_size"], new_root, path)
    return {}


def checkpoint(case):
    v.verify_checkpoint(case["checkpoint"].encode(), keys_of(case["known"]))
    return {}


def receipt(case):
    v.verify_receipt(case["receipt"].encode(), keys_of(case["known"]))
    return {}


def pair(case):
    v.verify_pair(case["pair"].encode(), keys_of(case["known"]))
    return {}


def jwk(case):
    key = w.key_of_jwk(case["jwk"])
    return {"vkey": key.text, "kid": w.thumbprint(key.public_bytes)}


def jws(case):
    w.verify_daily_root(case["jws"], w.keys_of_jwks(case["jwks"]))
    return {}


def manifest(case):
    if "manifest" not in case:
        lines = sorted(w.manifest_line(v.from_base64(case["salt"], "salt", 32), log["origin"], log["checkpoint"]) for log in case["logs"])
        return {"manifest": "".join(line + "\n" for line in lines), "root": w.manifest_root(lines).hex()}
    w.check_manifest(case["manifest"])
    return {}


def witness_key(case):
    key = witness.WitnessKey(case["vkey"])
    return {"name": key.name, "key_id": key.id.hex(), "public_key": key.public_bytes.hex()}


def cosignature(case):
    key = witness.WitnessKey(case["witness"])
    time = key.time_of(v.Checkpoint(*v.blocks_of(case["checkpoint"].encode(), 2)))
    if time is None:
        raise v.Refused("no_known_signature", key.name)
    return {"time": time}


def add_checkpoint(case):
    old, path, checkpoint = witness.request_of(case["request"].encode())
    return {"old": old, "path": [digest.hex() for digest in path], "origin": checkpoint.origin, "size": checkpoint.size}


def policy(case):
    asked = witness.Policy(case["policy"])
    return {"cosigned": asked.cosigned(v.Checkpoint(*v.blocks_of(case["checkpoint"].encode(), 2)))}


KINDS = [vkey, canonical, origin, entry, commitment, chain, tree, inclusion, consistency, checkpoint, receipt, pair, jwk, jws, manifest]
KINDS += [witness_key, cosignature, add_checkpoint, policy]


def faults(kind, cases):
    """What was not as the golden file says."""
    for case in cases["good"]:
        try:
            found = kind(case["input"])
        except v.Refused as refused:
            yield f"{case['name']}: {refused}"
            continue
        wanted = {name: case["expect"][name] for name in found if name in case["expect"]}
        if found != wanted:
            yield f"{case['name']}: {found}, and not {wanted}"
    for case in cases["bad"]:
        wanted = (case["reason"], case.get("seq"))
        try:
            kind(case["input"])
            yield f"{case['name']}: accepted, and not refused as {wanted}"
        except v.Refused as refused:
            if (refused.reason, refused.seq if "seq" in case else None) != wanted:
                yield f"{case['name']}: {refused}, at {refused.seq}, and not {wanted}"


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
