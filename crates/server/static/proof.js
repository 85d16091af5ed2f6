// The page of an entry, of a checkpoint or of a receipt that was shared: verifies what stands on it, the last one without
// being asked. The verifier itself is verify.js, fetched when it is needed. The seal shows only what was verified just now,
// and only if the page shows the same.

const $ = (id) => document.getElementById(id);
const button = $("verify");
const { verifier, receipt, file, vkey, auto } = button.dataset;

/** JSON whatever the order of its members. */
const isPlain = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const sort = (_, value) => (isPlain(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value);
const sorted = (value) => JSON.stringify(value, sort);

function isAsOpened(element, opened) {
  const [field, member] = element.dataset.opened.split(".");
  if (opened[field] === undefined || member === undefined) return opened[field] === element.textContent;
  const value = JSON.parse(opened[field])[member];
  return isPlain(value) ? sorted(value) === sorted(JSON.parse(element.textContent)) : value === element.textContent;
}

function isAsStored(element, entry) {
  const value = entry[element.dataset.entry];
  const times = [...element.querySelectorAll("time")];
  if (times.length === 0) return element.textContent === String(value);
  return times.every(({ dateTime }) => Date.parse(dateTime) === value - (value % 1000));
}

/** The first thing on the page that is not what the receipt proves: `data-opened` and `data-entry` say what each is. */
function contradiction({ source, entry, opened, leaf }) {
  if ($("stored").textContent !== source) return "entry";
  if ($("leaf") !== null && $("leaf").textContent !== leaf) return "leaf";
  const find = (kind, isRight, of) => [...document.querySelectorAll(`[data-${kind}]`)].find((element) => !isRight(element, of));
  return find("entry", isAsStored, entry)?.dataset.entry ?? find("opened", isAsOpened, opened)?.dataset.opened;
}

function show(id, texts) {
  for (const verdict of $("outcome").children) verdict.hidden = verdict.id !== id;
  for (const [name, text] of Object.entries(texts)) $(name).textContent = text;
}

const named = (keys) => keys.map(({ id, name }) => `${id} of ${name}`).join(" and ");

function sealed(what, { size, keys }) {
  const at = new Date();
  const by = $("verified-by");
  show("verified", { "verified-what": what, "verified-by": `Against the checkpoint of size ${size}, signed by the key ${named(keys)}. Checked ` });
  const time = document.createElement("time");
  time.dateTime = at.toISOString();
  time.dataset.exact = "";
  time.textContent = `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  by.append(time, " by this browser, with the script of this server.");
}

function refused({ message, seq, code }) {
  const bad = seq === null || seq === undefined ? "" : `The first bad entry is ${seq}. `;
  show("refused", { "refused-why": message, "refused-where": `${bad}The reason in a word: ${code}.` });
}

/** The receipt, which stands on the page itself or is fetched, and what the server says against it. */
async function obtain(Refusal) {
  if (file !== undefined) return { text: $(file).textContent, problem: null };
  const answer = await fetch(receipt, { headers: { accept: "text/plain, application/problem+json" } });
  const problem = answer.ok ? null : await answer.json();
  if (problem !== null && problem.code !== "ledger_mismatch") throw new Error(problem.detail ?? problem.title);
  // Of a damaged log the server says so itself; what the proof says comes first.
  const text = problem === null ? await answer.text() : problem.receipt;
  if (text === undefined) throw new Refusal(problem.code, problem.detail, problem.seq);
  return { text, problem };
}

/** What witnesses say of a shared receipt's log, as the page shows it: in a sentence, or nothing where it shows none. */
async function witnessed({ verifyManifest, cosignedAt, Refusal }, { checkpoint, index }) {
  const part = document.querySelector("[data-cell]");
  if (part === null) return "";
  const { cell, hour, checkpoint: named } = await verifyManifest($("witnessed").textContent, [vkey, part.dataset.cell]);
  if (named.text !== checkpoint.text) throw new Refusal("page_differs", "The witnesses signed for another root than the receipt's.", index);
  const lines = [...part.querySelectorAll("[data-witness]")];
  for (const line of lines) {
    const at = await cosignedAt(cell.checkpoint, line.dataset.witness);
    const isAsShown = at !== null && Date.parse(line.querySelector("time").dateTime) === Number(at) * 1000;
    if (!isAsShown) throw new Refusal("page_differs", "The page shows another witness, or another time, than the signatures prove.", index);
  }
  return ` The manifest of ${hour} names its root, and ${lines.length === 1 ? "one witness has" : `${lines.length} witnesses have`} cosigned that.`;
}

async function verifyEntry(module) {
  const { verifyReceipt, Refusal } = module;
  const { text, problem } = await obtain(Refusal);
  const verified = await verifyReceipt(text, vkey);
  if (problem !== null) throw new Refusal(problem.code, problem.detail, problem.seq);
  const other = contradiction(verified);
  if (other !== undefined) throw new Refusal("page_differs", `The page shows another ${other} than the receipt proves.`, verified.index);
  const others = await witnessed(module, verified);
  const fields = Object.keys(verified.opened);
  const opened = fields.length === 0 ? "" : `; ${fields.join(", ")} read as committed`;
  sealed(`Entry ${verified.index} is in the log, as this page shows it${opened}.${others}`, verified.checkpoint);
}

async function verifyNote({ verifyCheckpoint }) {
  const checkpoint = await verifyCheckpoint($("note").textContent, vkey);
  sealed(`The log's key signed a tree of ${checkpoint.size} entries with this root.`, checkpoint);
}

$("without").hidden = true;
button.hidden = false;
button.addEventListener("click", async () => {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  let module;
  try {
    module = await import(verifier);
    await (receipt ?? file ? verifyEntry(module) : verifyNote(module));
  } catch (error) {
    if (module && error instanceof module.Refusal) refused(error);
    else if (!globalThis.crypto?.subtle) show("unable", { "unable-why": "This browser gives no access to its cryptography here: the page has to come over HTTPS." });
    else if (error.name === "NotSupportedError") show("unable", { "unable-why": "This browser does not know Ed25519. Take the receipt and the command below." });
    else show("unable", { "unable-why": `${error.message} Nothing was found out about the proof.` });
  }
  button.removeAttribute("aria-disabled");
});
if (auto !== undefined) button.click();
