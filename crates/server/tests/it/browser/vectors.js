// Runs the golden files through the browser's verifier: `(verifier, files) => […]` answers a line for each disagreement.
// `files` has the texts of `vectors/*.json` by name.
async ({ Refusal, ...verifier }, files) => {
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const hex = (array) => Array.from(array, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const unbase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const fail = (fault) => { if (fault !== null) throw new Refusal(fault, fault); };

  // By file: what is made of an input, in the form of what is expected of it.
  const checks = {
    async vkey({ vkey }) {
      const key = await verifier.parseKey(vkey);
      return { name: key.name, key_id: key.id, public_key: hex(key.public) };
    },
    async note({ note, known }) {
      const { text, keys } = await verifier.verifyNote(note, known);
      return { text, signed_by: keys.map(({ name, id }) => `${name}+${id}`) };
    },
    async checkpoint({ checkpoint, known }) {
      const { origin, size, root, extensions } = await verifier.verifyCheckpoint(checkpoint, known);
      return { origin, size: Number(size), root: hex(root), extensions };
    },
    async receipt({ receipt, known }) {
      const { checkpoint, index, leaf, opened, entry } = await verifier.verifyReceipt(receipt, known);
      const { action, ts } = entry;
      const { origin, size } = checkpoint;
      return { action, origin, size: Number(size), index: Number(index), seq: Number(index), opened, recorded_at_ms: ts, leaf_hash: leaf };
    },
    async pair({ pair, known }) {
      const { older, newer } = await verifier.verifyPair(pair, known);
      return { origin: newer.origin, older_size: Number(older.size), newer_size: Number(newer.size) };
    },
    async manifest_proof({ proof, known }) {
      const { checkpoint, receipt, hour, logs, cell } = await verifier.verifyManifest(proof, known);
      const [size, cell_size, seq] = [Number(checkpoint.size), Number(cell.checkpoint.size), receipt && Number(receipt.index)];
      return { origin: checkpoint.origin, size, hour, logs, cell_size, cell_origin: cell.checkpoint.origin, seq };
    },
    async witness_key({ vkey }) {
      const key = await verifier.parseKey(vkey, 4);
      return { name: key.name, key_id: key.id, public_key: hex(key.public) };
    },
    async cosignature({ checkpoint, witness }) {
      const end = checkpoint.lastIndexOf("\n\n");
      const line = (text) => /^— (\S+) (\S+)$/.exec(text) ?? fail("malformed");
      const signatures = checkpoint.slice(end + 2, -1).split("\n").map(line).map(([, name, encoded]) => {
        const raw = unbase64(encoded);
        return { name, id: hex(raw.subarray(0, 4)), bytes: raw.subarray(4) };
      });
      const time = await verifier.cosignedAt({ text: checkpoint.slice(0, end + 1), signatures }, witness);
      return time === null ? fail("no_known_signature") : { time: Number(time) };
    },
    async inclusion({ index, size, leaf, path, root }) {
      if (index >= size) fail("outside_tree");
      fail(await verifier.inclusionFault(BigInt(index), BigInt(size), bytes(leaf), path.map(bytes), bytes(root)));
      return {};
    },
    async consistency({ old_size, old_root, new_size, new_root, path }) {
      const [older, newer] = [bytes(old_root), bytes(new_root)];
      fail(await verifier.consistencyFault(BigInt(old_size), older, BigInt(new_size), newer, path.map(bytes)));
      return {};
    },
    async entry({ entry }) {
      const { seq, gen, ts, ws, env, action, trace, prev } = verifier.parseEntry(entry);
      const leaf = hex(await verifier.leafHash(new TextEncoder().encode(entry)));
      return { leaf_hash: leaf, seq, gen, ts, ws, env, action, trace, prev };
    },
    async commitment({ field, r, value, commitment }) {
      const isOpen = await verifier.opens({ field, r: unbase64(r), value }, commitment);
      return isOpen ? {} : fail("wrong_opening");
    },
  };

  const disagreements = [];
  let count = 0;
  for (const [name, text] of Object.entries(files)) {
    const { good, bad } = JSON.parse(text);
    for (const { name: title, input, expect, reason, seq } of [...good, ...bad]) {
      count += 1;
      const say = (what) => disagreements.push(`${name}, ${title}: ${what}`);
      try {
        const made = await checks[name](input);
        if (reason !== undefined) { say(`accepted, not ${reason}`); continue; }
        for (const [member, value] of Object.entries(expect)) {
          if (JSON.stringify(made[member]) !== JSON.stringify(value)) say(`${member} is ${made[member]}, not ${value}`);
        }
      } catch (error) {
        if (!(error instanceof Refusal)) say(`${error.name}: ${error.message}`);
        else if (error.code !== reason) say(`refused for ${error.code}, not ${reason}`);
        else if (Number(error.seq ?? -1) !== (seq ?? -1)) say(`first bad seq ${error.seq}, not ${seq}`);
      }
    }
  }
  return { count, disagreements };
}
