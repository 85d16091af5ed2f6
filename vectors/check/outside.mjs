// Judges the golden files in JavaScript: daily roots by jose, which knows nothing of Bailiwick; everything that a browser verifies by
// the console's own verifier, which shares no code with the server.
//
//     outside.mjs GOLDEN_FILES_FOLDER JOSE_JS VERIFY_JS
//
// Prints a line for each; ends with 1 at the first case on which they disagree.

import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

globalThis.crypto ??= webcrypto;

const [folder, joseFile, verifierFile] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(resolve(file)).href);
const jose = await load(joseFile);
const verifier = await load(verifierFile);

const read = (name) => JSON.parse(readFileSync(join(folder, name), "utf8"));
const outcome = (promise) => promise.then((found) => ({ found }), (refused) => ({ refused }));

function must(condition, file, name, why = "") {
  if (condition) return;
  console.error(`${file}: they disagree on: ${name} ${why}`);
  process.exit(1);
}

/** The key of the set whose id the header names. Several keys may share it, under different names. */
async function keyOf(jws, jwks) {
  const { kid } = jose.decodeProtectedHeader(jws);
  const jwk = JSON.parse(jwks).keys.find((key) => key.kid === kid);
  if (jwk === undefined) throw new Error("an unknown key");
  return jose.importJWK(jwk);
}

const verifyJws = async ({ jws, jwks }) =>
  new TextDecoder().decode((await jose.compactVerify(jws, await keyOf(jws, jwks), { algorithms: ["EdDSA"] })).payload);

async function keys() {
  const cases = read("jwk.json").good;
  for (const { name, input, expect } of cases) {
    must(await jose.calculateJwkThumbprint(JSON.parse(input.jwk)) === expect.kid, "jwk.json", name);
    await jose.importJWK(JSON.parse(input.jwk));
  }
  return cases.length;
}

async function dailyRoots() {
  const { good, bad } = read("jws.json");
  // What the header and the payload must say beyond JOSE is ours to check; and it reads base64url with padding.
  const ours = ["padding", "another type", "a header with a space", "a header with a key of its own", "no checkpoint"];
  for (const { name, input, expect } of good) {
    const { found, refused } = await outcome(verifyJws(input));
    must(found?.startsWith(`${expect.origin}\n${expect.size}\n`), "jws.json", name, refused);
  }
  for (const { name, input, reason } of bad) {
    const { refused } = await outcome(verifyJws(input));
    must(refused !== undefined || reason === "other_logs_key" || ours.includes(name), "jws.json", name);
  }
  return good.length + bad.length;
}

/** The console's verifier on one file: it must find what the file says, and refuse for the reason and at the place it says. */
async function judge(file, member, verify, compare) {
  const { good, bad } = read(file);
  for (const { name, input, expect } of good) {
    const { found, refused } = await outcome(verify(input[member], input.known));
    must(refused === undefined, file, name, refused);
    compare(found, expect, name);
  }
  for (const { name, input, reason, seq } of bad) {
    const { refused } = await outcome(verify(input[member], input.known));
    must(refused !== undefined, file, name, "which is accepted");
    must(refused.code === reason, file, name, `${refused.code}, not ${reason}`);
    must(Number(refused.seq ?? -1) === (seq ?? -1), file, name, `at ${refused.seq}`);
  }
  return good.length + bad.length;
}

const receipts = () => judge("receipt.json", "receipt", verifier.verifyReceipt, (found, expect, name) => {
  must(found.checkpoint.origin === expect.origin, "receipt.json", name);
  must(found.entry.seq === expect.seq && Number(found.checkpoint.size) === expect.size, "receipt.json", name);
  must(found.leaf === expect.leaf_hash, "receipt.json", name);
  must(JSON.stringify(found.opened) === JSON.stringify(expect.opened), "receipt.json", name);
});

const pairs = () => judge("pair.json", "pair", verifier.verifyPair, (found, expect, name) => {
  must(Number(found.older.size) === expect.older_size && Number(found.newer.size) === expect.newer_size, "pair.json", name);
});

const checkpoints = () => judge("checkpoint.json", "checkpoint", verifier.verifyCheckpoint, (found, expect, name) => {
  must(found.origin === expect.origin && Number(found.size) === expect.size, "checkpoint.json", name);
});

const notes = () => judge("note.json", "note", verifier.verifyNote, (found, expect, name) => {
  must(found.text === expect.text, "note.json", name);
});

console.log(`jose: ${await keys()} keys, ${await dailyRoots()} daily roots`);
console.log(`verify.js: ${await receipts()} receipts, ${await pairs()} pairs, ${await checkpoints()} checkpoints, ${await notes()} notes`);
