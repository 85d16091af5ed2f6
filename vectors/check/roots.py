#!/usr/bin/env python3
"""Verifies the daily roots in a workspace's key set by joserfc, which knows nothing of Bailiwick.

    roots.py DOCUMENT        what /w/{workspace}/.well-known/jwks.json answered, in a file

Prints origin, size and root of each; ends with 1 at the first that does not hold.
"""

import json
import sys
import warnings
from pathlib import Path

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

# joserfc allows EdDSA no longer unless it is named, and warns of it.
warnings.simplefilter("ignore")
document = json.loads(Path(sys.argv[1]).read_text())
keys = KeySet.import_key_set(document)
names = {key["kid"]: key["vkey"].split("+")[0] for key in document["keys"]}
for root in document["audit_roots"]:
    try:
        found = jws.deserialize_compact(root, keys, algorithms=["EdDSA"])
    except (JoseError, ValueError) as refused:
        sys.exit(f"not verified: {refused!r}")
    origin, size, tree = found.payload.decode().split("\n")[:3]
    if names[found.headers()["kid"]] != origin:
        sys.exit(f"not verified: the key is not that of {origin}")
    print(origin, size, tree)
