// Verifies receipts, checkpoints, pairs of checkpoints, lines of manifests and cosignatures, with nothing but WebCrypto.
//
// The second implementation: written from the formats (docs/reference/ledger-format.md), not from the server's code, so that
// the two can disagree. It runs in a browser and in Node alike. Bytes are hashed as they were received; what is not in
// its one canonical form is refused. Sizes and indexes are BigInt: shifts of numbers are 32 bits wide.
//
// Formats: RFC 9162 (the tree), C2SP signed-note, tlog-checkpoint, tlog-proof and tlog-cosignature, RFC 8785 (canonical JSON).

const MAX_FILE_BYTES = 1 << 20;
const MAX_ENTRY_BYTES = 65_535;
const MAX_KEY_NAME_BYTES = 256;
const MAX_SIGNATURES = 64;
const MAX_PATH = { receipt: 64, pair: 128 };
const FIELDS = ["actor", "ip", "meta", "target"];
const RECEIPT = "c2sp.org/tlog-proof@v1";
const PAIR = "bailiwick/tlog-consistency@v1";
const MANIFEST = "bailiwick/manifest-proof@v1";

/** Why something was refused: the word of the formats' page, a sentence, and the first bad seq where that can be told. */
export class Refusal extends Error {
  constructor(code, message, seq = null) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.seq = seq;
  }
}

const refuse = (code, message, seq) => { throw new Refusal(code, message, seq); };

// --- Bytes -----------------------------------------------------------------

const utf8 = new TextEncoder();
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
}

/** Standard base64 with padding in its one spelling, or null. */
function unbase64(text) {
  let binary;
  try { binary = atob(text); } catch { return null; }
  return btoa(binary) === text ? Uint8Array.from(binary, (char) => char.charCodeAt(0)) : null;
}

/** A number below 2^53 in decimal, or null. */
const number = (text) => (/^(0|[1-9][0-9]{0,15})$/.test(text) && Number.isSafeInteger(Number(text)) ? BigInt(text) : null);

const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
const equal = (one, other) => hex(one) === hex(other);

/** Bytes as text, or null. */
function unutf8(bytes) {
  try { return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes); } catch { return null; }
}

const malformed = (why) => refuse("malformed", `This is no file that can be checked: ${why}.`);

/** A file as text, whole and without control characters. */
function read(file) {
  const bytes = typeof file === "string" ? utf8.encode(file) : new Uint8Array(file);
  if (bytes.length > MAX_FILE_BYTES) malformed("it is larger than 1 MiB");
  const text = unutf8(bytes) ?? malformed("it is not UTF-8");
  if (/[\0-\x09\x0b-\x1f]/.test(text)) malformed("it has control characters");
  return text.endsWith("\n") ? text : malformed("it is cut");
}

/** So many parts, with an empty line between each two. */
function blocks(text, count) {
  const parts = text.slice(0, -1).split("\n\n");
  return parts.length === count ? parts : malformed(`it has not ${count} parts`);
}

function hashes(lines, most) {
  if (lines.length > most) malformed("its path is too long");
  return lines.map((line) => {
    const bytes = unbase64(line);
    return bytes?.length === 32 ? bytes : malformed("a line that should be a hash is none");
  });
}

// --- The tree: RFC 9162, sections 2.1.3.2 and 2.1.4.2 -----------------------

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafHash = (entry) => sha256(LEAF, entry);
const nodeHash = (left, right) => sha256(NODE, left, right);

/** Why the leaf and its path do not lead to the root of a tree of this size; null if they do. */
export async function inclusionFault(index, size, leaf, path, root) {
  let [fn, sn, hash] = [index, size - 1n, leaf];
  for (const other of path) {
    if (sn === 0n) return "path_length";
    if (fn & 1n || fn === sn) {
      hash = await nodeHash(other, hash);
      while (!(fn & 1n) && fn !== 0n) { fn >>= 1n; sn >>= 1n; }
    } else {
      hash = await nodeHash(hash, other);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  if (sn !== 0n) return "path_length";
  return equal(hash, root) ? null : "not_included";
}

/** Why the tree with the newer root does not begin with all of the tree with the older; null if it does. */
export async function consistencyFault(oldSize, oldRoot, newSize, newRoot, path) {
  if (newSize < oldSize) return "shrank";
  if (newSize === oldSize && !equal(oldRoot, newRoot)) return "two_roots";
  if (newSize === oldSize || oldSize === 0n) {
    if (path.length > 0) return "path_length";
    return newSize === oldSize || equal(oldRoot, await sha256()) ? null : "does_not_extend";
  }
  if (path.length === 0) return "path_length";
  const isPowerOfTwo = (oldSize & (oldSize - 1n)) === 0n;
  const [first, ...rest] = isPowerOfTwo ? [oldRoot, ...path] : path;
  let [fn, sn] = [oldSize - 1n, newSize - 1n];
  while (fn & 1n) { fn >>= 1n; sn >>= 1n; }
  let [fr, sr] = [first, first];
  for (const other of rest) {
    if (sn === 0n) return "path_length";
    if (fn & 1n || fn === sn) {
      fr = await nodeHash(other, fr);
      sr = await nodeHash(other, sr);
      while (!(fn & 1n) && fn !== 0n) { fn >>= 1n; sn >>= 1n; }
    } else {
      sr = await nodeHash(sr, other);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  if (sn !== 0n) return "path_length";
  return equal(fr, oldRoot) && equal(sr, newRoot) ? null : "does_not_extend";
}

// --- Keys and signed notes ---------------------------------------------------

const isKeyName = (name) =>
  name !== "" && utf8.encode(name).length <= MAX_KEY_NAME_BYTES && !/[\p{White_Space}\p{Cc}+]/u.test(name);

/** `<name>+<8 hex>+<base64(0x01 || 32 bytes)>`; a witness's has 0x04 there. */
export async function parseKey(vkey, type = 1) {
  const bad = (why) => refuse("malformed", `The key is none: ${why}.`);
  const [, name, id, encoded] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/s.exec(vkey) ?? bad("it has not three parts");
  if (!isKeyName(name)) bad("its name is empty, or too long, or has white space in it");
  const bytes = unbase64(encoded);
  if (bytes?.length !== 33 || bytes[0] !== type) bad("it is not an Ed25519 key of that kind");
  const hash = await sha256(utf8.encode(`${name}\n`), bytes);
  if (hex(hash.subarray(0, 4)) !== id) bad("its id is that of another key");
  return { name, id, public: bytes.subarray(1), vkey };
}

function parseSignature(line) {
  const bad = () => malformed("a signature line is none");
  const [dash, name, encoded, ...more] = line.split(" ");
  if (dash !== "—" || encoded === undefined || more.length > 0 || !isKeyName(name)) bad();
  const bytes = unbase64(encoded);
  if (bytes === null || bytes.length < 5) bad();
  return { name, id: hex(bytes.subarray(0, 4)), bytes: bytes.subarray(4) };
}

function parseNote(body, signatureLines) {
  const lines = signatureLines.split("\n");
  if (lines.length > MAX_SIGNATURES) malformed("it has more than 64 signatures");
  return { text: `${body}\n`, signatures: lines.map(parseSignature) };
}

/** A signed note whose text is a checkpoint: origin, size, root, and extension lines if there are any. */
function parseCheckpoint(body, signatureLines) {
  const [origin, sizeLine, rootLine, ...extensions] = body.split("\n");
  if (!origin || sizeLine === undefined || rootLine === undefined) malformed("a checkpoint has at least three lines");
  const size = number(sizeLine) ?? malformed("the checkpoint's size is not a number");
  const root = unbase64(rootLine);
  if (root?.length !== 32) malformed("the checkpoint's root is not a hash");
  if (extensions.includes("")) malformed("the checkpoint has an empty line");
  return { origin, size, root, extensions, ...parseNote(body, signatureLines) };
}

async function hasSigned(key, signature, text) {
  const publicKey = await crypto.subtle.importKey("raw", key.public, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", publicKey, signature, utf8.encode(text));
}

/** Which of the keys signed. Signatures by others are ignored; every one by these must be right. */
async function signers({ text, signatures }, keys) {
  const found = [];
  for (const { name, id, bytes } of signatures) {
    const [key, ...others] = keys.filter((key) => key.name === name && key.id === id);
    if (key === undefined) continue;
    if (others.some((other) => other.vkey !== key.vkey)) refuse("ambiguous_key", "Two of the keys have one name and one id.");
    if (found.includes(key)) refuse("signed_twice", "One key signed the checkpoint twice.");
    found.push(key);
    const isRight = await hasSigned(key, bytes, text);
    if (!isRight) refuse("bad_signature", "A signature on the checkpoint is wrong.");
  }
  if (found.length === 0) refuse("no_known_signature", "None of the signatures on the checkpoint is by a key that was given.");
  return found;
}

/** The same of a checkpoint: one of them must be of the origin's own name. */
async function signersOfLog(checkpoint, keys) {
  const found = await signers(checkpoint, keys);
  if (found.some((key) => key.name === checkpoint.origin)) return found;
  return refuse("other_logs_key", "The checkpoint is of another log than the key.");
}

const parseKeys = (vkeys) => Promise.all([vkeys].flat().map((vkey) => parseKey(vkey)));

/** Verifies any signed note; answers its text and the keys that signed it. */
export async function verifyNote(file, vkeys) {
  const keys = await parseKeys(vkeys);
  const text = read(file).slice(0, -1);
  const end = text.lastIndexOf("\n\n");
  if (end < 0) malformed("it has no signatures");
  const note = parseNote(text.slice(0, end), text.slice(end + 2));
  return { text: note.text, keys: await signers(note, keys) };
}

/** Verifies a checkpoint; answers `{origin, size, root, extensions, keys}`. */
export async function verifyCheckpoint(file, vkeys) {
  const keys = await parseKeys(vkeys);
  const checkpoint = parseCheckpoint(...blocks(read(file), 2));
  return { ...checkpoint, keys: await signersOfLog(checkpoint, keys) };
}

// --- Entries -----------------------------------------------------------------

/** Exactly these members, in this order. */
function isObject(value, ...names) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const own = Object.keys(value);
  return own.length === names.length && own.every((name, at) => name === names[at]);
}
const matches = (value, pattern) => typeof value === "string" && pattern.test(value);
const isCount = (value, least = 0) => Number.isSafeInteger(value) && value >= least;
const isWellFormed = (value) => typeof value === "string" && !/\p{Surrogate}/u.test(value);

function json(source, bad) {
  try { return JSON.parse(source); } catch { return bad("it is not JSON"); }
}

const HASH = /^[0-9a-f]{64}$/;
const WORKSPACE = /^ws_[0-7][0-9a-hjkmnp-tv-z]{25}$/;
const ACTION = /^[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)+$/;

/** An entry from its text, which must be the canonical form of what it says. `at` is where it is said to stand. */
export function parseEntry(source, at) {
  const bad = (why) => refuse("not_an_entry", `The entry is none: ${why}.`, at);
  if (utf8.encode(source).length > MAX_ENTRY_BYTES) bad("it is larger than 65,535 bytes");
  const entry = json(source, bad);
  if (!isObject(entry, "action", "c", "env", "gen", "prev", "seq", "trace", "ts", "v", "ws")) bad("it has other members");
  if (!isObject(entry.c, ...FIELDS)) bad("it has other commitments");
  if (entry.v !== 1) bad("its version is not 1");
  if (!matches(entry.action, ACTION) || entry.action.length > 100) bad("its action is none");
  if (!FIELDS.every((field) => matches(entry.c[field], HASH))) bad("a commitment is no hash");
  if (!isCount(entry.gen, 1) || entry.gen >= 2 ** 32) bad("its generation is none");
  if (!isCount(entry.seq)) bad("its seq is none");
  if (!isCount(entry.ts)) bad("its time is none");
  if (!matches(entry.trace, /^[0-9a-f]{32}$/)) bad("its trace is none");
  if (!matches(entry.prev, HASH)) bad("its link is no hash");
  if ((entry.seq === 0) !== /^0{64}$/.test(entry.prev)) bad("the first entry, and no other, has nothing before it");
  const inWorkspace = matches(entry.ws, WORKSPACE) && ["live", "test"].includes(entry.env);
  if (!inWorkspace && !(entry.ws === "cell" && entry.env === "live")) bad("it names no log");
  if (JSON.stringify(entry) !== source) bad("it is not in canonical form");
  return entry;
}

/** Does the origin name the log and generation that the entry says it is in? */
function isOf(origin, { ws, env, gen }) {
  const tail = ws === "cell" ? `/cell/${gen}` : `/w/${ws}/${env}/${gen}`;
  const name = origin.endsWith(tail) ? origin.slice(0, -tail.length) : "";
  return /^[a-z0-9.:/_-]{1,128}$/.test(name) && !/^\/|\/\/|\/$/.test(name);
}

// --- Receipts ------------------------------------------------------------------

/** `extra`: the entry's text and what is opened of it. */
function parseExtra(bytes) {
  const bad = (why) => malformed(`of what the receipt carries, ${why}`);
  const source = unutf8(bytes) ?? bad("it is not UTF-8");
  const extra = json(source, bad);
  if (!isObject(extra, "entry", "openings") || !isWellFormed(extra.entry)) bad("it has other members");
  const opened = FIELDS.filter((field) => Object.hasOwn(extra.openings ?? {}, field));
  if (!isObject(extra.openings, ...opened)) bad("it opens other fields");
  const openings = opened.map((field) => {
    const { r, value } = isObject(extra.openings[field], "r", "value") ? extra.openings[field] : bad("an opening is none");
    const key = typeof r === "string" ? unbase64(r) : null;
    if (key?.length !== 32 || !isWellFormed(value)) bad("an opening is none");
    return { field, r: key, value };
  });
  if (JSON.stringify(extra) !== source) bad("it is not in canonical form");
  return { source: extra.entry, openings };
}

/** A receipt's parts, before anything is checked. */
export function parseReceipt(file) {
  const [head, body, signatures] = blocks(read(file), 3);
  const [magic, extraLine, indexLine, ...path] = head.split("\n");
  if (magic !== RECEIPT) malformed("it does not begin as a receipt");
  const extra = (extraLine?.startsWith("extra ") ? unbase64(extraLine.slice(6)) : null) ?? malformed("it carries no entry");
  const index = (indexLine?.startsWith("index ") ? number(indexLine.slice(6)) : null) ?? malformed("it has no index");
  const checkpoint = parseCheckpoint(body, signatures);
  return { ...parseExtra(extra), index, path: hashes(path, MAX_PATH.receipt), checkpoint };
}

async function hmac(secret, message) {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return hex(new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8.encode(message))));
}

/** Is the value what was committed to? `r` has 32 bytes; the commitment is hex. */
export const opens = async ({ field, r, value }, commitment) => (await hmac(r, `audit-field/v1\0${field}\0${value}`)) === commitment;

/** Verifies a receipt; answers the entry, what is opened of it, its leaf, and the checkpoint with the keys that signed it. */
export async function verifyReceipt(file, vkeys) {
  const keys = await parseKeys(vkeys);
  const { source, openings, index, path, checkpoint } = parseReceipt(file);
  const by = await signersOfLog(checkpoint, keys);
  const entry = parseEntry(source, index);
  const bad = (code, message) => refuse(code, message, index);
  if (!isOf(checkpoint.origin, entry)) bad("other_log", "The entry is of another log than the checkpoint.");
  if (BigInt(entry.seq) !== index) bad("other_seq", "The entry stands at another place than the receipt says.");
  if (index >= checkpoint.size) bad("outside_tree", "The checkpoint does not reach as far as the entry.");
  const leaf = await leafHash(utf8.encode(source));
  const fault = await inclusionFault(index, checkpoint.size, leaf, path, checkpoint.root);
  if (fault === "path_length") bad(fault, "The path to the root is too long or too short.");
  if (fault !== null) bad(fault, "The entry is not the one that the checkpoint was signed over.");
  for (const opening of openings) {
    const isOpen = await opens(opening, entry.c[opening.field]);
    if (!isOpen) bad("wrong_opening", `What is shown as ${opening.field} is not what the entry was committed to.`);
  }
  const opened = Object.fromEntries(openings.map(({ field, value }) => [field, value]));
  return { entry, source, opened, index, leaf: hex(leaf), path: path.map(hex), checkpoint: { ...checkpoint, keys: by } };
}

// --- Two checkpoints -------------------------------------------------------------

const PAIR_FAULTS = {
  shrank: "The log shrank: both checkpoints are signed, and the second is the smaller.",
  two_roots: "The log has two histories: both checkpoints are signed, with two roots at one size.",
  does_not_extend: "The newer checkpoint was not shown to extend the older.",
};

/** Verifies that the newer checkpoint extends the older; answers both. */
export async function verifyPair(file, vkeys) {
  const keys = await parseKeys(vkeys);
  const [head, ...parts] = blocks(read(file), 5);
  const [magic, ...lines] = head.split("\n");
  if (magic !== PAIR) malformed("it does not begin as a pair of checkpoints");
  const path = hashes(lines, MAX_PATH.pair);
  const [older, newer] = [parseCheckpoint(parts[0], parts[1]), parseCheckpoint(parts[2], parts[3])];
  older.keys = await signersOfLog(older, keys);
  newer.keys = await signersOfLog(newer, keys);
  if (older.origin !== newer.origin) refuse("other_origin", "The two checkpoints are of different logs.");
  const found = await consistencyFault(older.size, older.root, newer.size, newer.root, path);
  const fault = found === "path_length" ? "does_not_extend" : found;
  if (fault !== null) refuse(fault, PAIR_FAULTS[fault], fault === "shrank" ? newer.size : null);
  return { older, newer, path: path.map(hex) };
}

// --- Manifests and witnesses ---------------------------------------------------

/** Verifies a line of a manifest with its proofs; answers `{checkpoint, entry?, hour, logs, cell}`. The keys are the log's and the cell's. */
export async function verifyManifest(file, vkeys) {
  const [head, ...parts] = read(file).slice(0, -1).split("\n\n");
  const [magic, saltLine, indexLine, ...lines] = head.split("\n");
  if (magic !== MANIFEST || ![5, 6].includes(parts.length)) malformed("it is no line of a manifest");
  const salt = saltLine?.startsWith("salt ") ? unbase64(saltLine.slice(5)) : null;
  if (salt?.length !== 32) malformed("it has no salt");
  const index = (indexLine?.startsWith("index ") ? number(indexLine.slice(6)) : null) ?? malformed("it has no index");
  const path = hashes(lines, MAX_PATH.receipt);
  const part = (from, to) => `${parts.slice(from, to).join("\n\n")}\n`;
  parseReceipt(part(-3));
  const covered = part(0, -3);
  const receipt = parts.length === 6 ? await verifyReceipt(covered, vkeys) : null;
  const checkpoint = receipt === null ? await verifyCheckpoint(covered, vkeys) : receipt.checkpoint;
  let cell;
  try { cell = await verifyReceipt(part(-3), vkeys); } catch (error) { error.seq = null; throw error; }
  const name = /^(.*)\/cell\/[1-9][0-9]*$/.exec(cell.checkpoint.origin)?.[1];
  const rest = name !== undefined && checkpoint.origin.startsWith(`${name}/w/`) ? checkpoint.origin.slice(name.length + 3) : "";
  if (!/^ws_[0-7][0-9a-hjkmnp-tv-z]{25}\/(live|test)\/[1-9][0-9]*$/.test(rest)) refuse("other_cell", "The log is not of the cell whose manifest it is.");
  const notOne = (why) => refuse("not_a_manifest", `The cell's entry is not that of a manifest: ${why}.`);
  if (cell.entry.action !== "ledger.manifest_published" || cell.opened.meta === undefined) notOne("it tells of none");
  const { data } = json(cell.opened.meta, notOne);
  const isTold = isObject(data, "hour", "logs", "root") && isCount(data.logs) && matches(data.root, HASH);
  if (!isTold || !matches(data.hour, /^\d{4}-\d\d-\d\dT\d\d:00:00Z$/)) notOne("it says something else");
  const line = `${await hmac(salt, `audit-manifest/v1\0${checkpoint.origin}`)} ${hex(await sha256(utf8.encode(checkpoint.text)))}`;
  const root = Uint8Array.from(data.root.match(/../g), (pair) => parseInt(pair, 16));
  const isWithin = index < BigInt(data.logs);
  const fault = isWithin ? await inclusionFault(index, BigInt(data.logs), await leafHash(utf8.encode(line)), path, root) : "outside_tree";
  if (fault !== null) refuse("not_in_manifest", "The manifest does not name this log with this size and root.");
  return { checkpoint, receipt, hour: data.hour, logs: data.logs, cell };
}

/** When a witness says that it has cosigned a verified checkpoint, in seconds since 1970; null if it has not. */
export async function cosignedAt({ text, signatures }, vkey) {
  const key = await parseKey(vkey, 4);
  const [line, ...more] = signatures.filter(({ name, id }) => name === key.name && id === key.id);
  if (line === undefined) return null;
  if (more.length > 0) refuse("signed_twice", "One witness cosigned the checkpoint twice.");
  const time = new DataView(line.bytes.buffer, line.bytes.byteOffset, line.bytes.length);
  const seconds = line.bytes.length === 72 ? time.getBigUint64(0) : null;
  const isRight = seconds !== null && seconds < 1n << 63n
    && (await hasSigned(key, line.bytes.subarray(8), `cosignature/v1\ntime ${seconds}\n${text}`));
  return isRight ? seconds : refuse("bad_signature", "A witness's signature on the checkpoint is wrong.");
}

/** Verifies whichever of the four it is. */
export function verify(file, vkeys) {
  const start = read(file);
  if (start.startsWith(`${RECEIPT}\n`)) return verifyReceipt(file, vkeys);
  if (start.startsWith(`${MANIFEST}\n`)) return verifyManifest(file, vkeys);
  return start.startsWith(`${PAIR}\n`) ? verifyPair(file, vkeys) : verifyCheckpoint(file, vkeys);
}
