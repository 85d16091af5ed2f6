#!/usr/bin/env python3
"""Judges the golden files by packages that know nothing of Bailiwick: pymerkle (trees) and joserfc (keys, daily roots).

    outside.py [DIRECTORY WITH THE GOLDEN FILES]

Prints a line for each file; ends with 1 at the first case on which they disagree.
"""

import hashlib
import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey
from pymerkle import InclusionProof, InmemoryTree, InvalidProof, verify_consistency, verify_inclusion

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent)


def read(name):
    return json.loads((FOLDER / name).read_text())


def must(condition, name, case):
    if not condition:
        sys.exit(f"{name}: they disagree on: {case['name']}")


def tree_of(entries):
    tree = InmemoryTree(algorithm="sha256")
    for entry in entries:
        tree.append_entry(entry.encode())
    return tree


def trees():
    """The same roots; and of each tree, every earlier root is consistent with it."""
    file = read("tree.json")
    largest = max(file["good"], key=lambda case: len(case["input"]["entries"]))
    tree, roots = tree_of(largest["input"]["entries"]), {}
    for case in file["good"]:
        size, root = len(case["input"]["entries"]), bytes.fromhex(case["expect"]["root"])
        must(tree_of(case["input"]["entries"]).get_root(size) == root, "tree.json", case)
        roots[size] = root
        for earlier in roots.keys() - {0}:
            proof = tree.prove_consistency(earlier, size)
            verify_consistency(roots[earlier], root, proof, prior_size=earlier, later_size=size)
    return len(file["good"])


def inclusion():
    """Our paths in its form, which adds the leaf and a rule that follows from index and size."""
    rules, tree = {}, InmemoryTree(algorithm="sha256")

    def rule(index, size):
        while tree.get_size() < size:
            tree.append_entry(b"")
        return rules.setdefault((index, size), tree.prove_inclusion(index + 1, size).rule)

    def holds(given):
        index, size = given["index"], given["size"]
        if not index < size:
            return False
        path = [bytes.fromhex(digest) for digest in [given["leaf"], *given["path"]]]
        proof = InclusionProof("sha256", True, size, index + 1, rule(index, size), path)
        try:
            verify_inclusion(path[0], bytes.fromhex(given["root"]), proof, index=index + 1, size=size)
        except InvalidProof:
            return False
        return True

    file = read("inclusion.json")
    for case in file["good"]:
        must(holds(case["input"]), "inclusion.json", case)
    for case in file["bad"]:
        must(not holds(case["input"]), "inclusion.json", case)
    return len(file["good"] + file["bad"])


def keys():
    file = read("jwk.json")
    for case in file["good"]:
        key = OKPKey.import_key(json.loads(case["input"]["jwk"]))
        must(key.thumbprint() == case["expect"]["kid"] == key.kid, "jwk.json", case)
    return len(file["good"])


def daily_roots():
    """JOSE knows algorithms, keys and signatures; what the header and payload must say beyond that is ours."""

    def holds(given):
        known = [key for key in json.loads(given["jwks"])["keys"] if key["kty"] == "OKP"]
        try:
            # joserfc allows EdDSA no longer unless it is named, and warns of it: RFC 9864 has a name for each curve.
            found = jws.deserialize_compact(given["jws"], KeySet.import_key_set({"keys": known}), algorithms=["EdDSA"])
        except (JoseError, ValueError):
            return None
        return found.payload.decode()

    ours = ("another type", "a header with a space", "a header with a key of its own", "no checkpoint")
    file = read("jws.json")
    for case in file["good"]:
        lines = (holds(case["input"]) or "").split("\n")
        must(lines[:2] == [case["expect"]["origin"], str(case["expect"]["size"])], "jws.json", case)
    for case in file["bad"]:
        beyond = case["reason"] == "other_logs_key" or case["name"] in ours
        must(beyond or holds(case["input"]) is None, "jws.json", case)
    return len(file["good"] + file["bad"])


def journals():
    """No package knows these; this is the format's rule in a few lines."""

    def sizes(objects):
        found, before, number = {}, "0" * 64, 0
        for text in objects:
            number += 1
            value = json.loads(text)
            same = json.dumps(value, ensure_ascii=False, separators=(",", ":")) == text
            if not same or list(value) != ["v", "n", "at", "prev", "snapshot", "heads"] or value["v"] != 1:
                raise ValueError("not a journal object")
            if (value["n"], value["prev"]) != (number, before):
                raise ValueError("not what follows")
            origins = [head["origin"] for head in value["heads"]]
            if origins != sorted(set(origins)) or (value["snapshot"] and not set(found) <= set(origins)):
                raise ValueError("heads are missing or out of order")
            found.update((head["origin"], head["size"]) for head in value["heads"])
            before = hashlib.sha256(text.encode()).hexdigest()
        return found

    file = read("journal.json")
    for case in file["good"]:
        must(sizes(case["input"]["objects"]) == case["expect"]["sizes"], "journal.json", case)
    for case in file["bad"]:
        try:
            sizes(case["input"]["objects"])
        except ValueError:
            continue
        must(False, "journal.json", case)
    return len(file["good"] + file["bad"])


def main():
    warnings.simplefilter("ignore")
    print(f"pymerkle {version('pymerkle')}: {trees()} trees, {inclusion()} inclusion paths")
    print(f"joserfc {version('joserfc')}: {keys()} keys, {daily_roots()} daily roots")
    print(f"hashlib: {journals()} journals")


main()
