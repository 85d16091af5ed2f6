// Verifies the daily roots in a workspace's key set by jose, which knows nothing of Bailiwick.
//
//     roots.mjs DOCUMENT JOSE_JS
//
// DOCUMENT is what /w/{workspace}/.well-known/jwks.json answered, in a file. Prints origin, size and root of each; ends with 1 at the
// first that does not hold.

import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

globalThis.crypto ??= webcrypto;

const [file, joseFile] = process.argv.slice(2);
const jose = await import(pathToFileURL(resolve(joseFile)).href);
const document = JSON.parse(readFileSync(file, "utf8"));
const keys = jose.createLocalJWKSet(document);
for (const root of document.audit_roots) {
  const { payload, protectedHeader } = await jose.compactVerify(root, keys, { algorithms: ["EdDSA"] });
  const [origin, size, tree] = new TextDecoder().decode(payload).split("\n");
  const { vkey } = document.keys.find((key) => key.kid === protectedHeader.kid);
  if (vkey.split("+")[0] !== origin) throw new Error(`the key is not that of ${origin}`);
  console.log(origin, size, tree);
}
