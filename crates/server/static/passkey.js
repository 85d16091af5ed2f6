// Passkeys: asks the server for a challenge, the browser for an answer, and sends that with the form.
//
// A form says by its data what it is: data-passkey="show" signs in, data-passkey="make" adds one. data-challenge is where its
// challenge comes from. With data-autofill the browser also offers passkeys in the address field, before anybody presses anything.

const RENEWED_MS = 240_000; // A challenge is good for five minutes.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function readable(options) {
  const named = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));
  const read = { ...options, challenge: bytes(options.challenge) };
  if (options.user) read.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) read.excludeCredentials = named(options.excludeCredentials);
  if (options.allowCredentials) read.allowCredentials = named(options.allowCredentials);
  return read;
}

function told(credential) {
  const response = { userHandle: null };
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  const results = credential.getClientExtensionResults();
  const clientExtensionResults = results.credProps ? { credProps: results.credProps } : {};
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response, clientExtensionResults };
}

class Refused extends Error {}

class Ceremony {
  constructor(form) {
    this.form = form;
    this.fault = form.querySelector("[data-fault]");
    this.makes = form.dataset.passkey === "make";
  }

  async challenge() {
    const answer = await fetch(this.form.dataset.challenge, { method: "POST", headers: { Accept: "application/json" } });
    const body = await answer.json();
    if (!answer.ok) throw new Refused(body.detail ?? body.title);
    return { ceremony: body.ceremony, options: readable(body.options.publicKey) };
  }

  async send({ ceremony, options }, how) {
    const asked = { publicKey: options, ...how };
    const credential = await (this.makes ? navigator.credentials.create(asked) : navigator.credentials.get(asked));
    this.form.elements.namedItem("ceremony").value = ceremony;
    this.form.elements.namedItem("credential").value = JSON.stringify(told(credential));
    this.form.submit();
  }

  async pressed() {
    this.waiting?.abort();
    this.say("");
    try {
      await this.send(await this.challenge(), {});
    } catch (error) {
      this.say(this.words(error));
      this.offer();
    }
  }

  // Offers passkeys among what the browser fills in; for as long as the page is open, always with a challenge that is good.
  async offer() {
    if (this.form.dataset.autofill === undefined) return;
    if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) return;
    const waiting = new AbortController();
    this.waiting = waiting;
    const renew = setTimeout(() => { waiting.abort(); this.offer(); }, RENEWED_MS);
    waiting.signal.addEventListener("abort", () => clearTimeout(renew));
    try {
      await this.send(await this.challenge(), { mediation: "conditional", signal: waiting.signal });
    } catch {
      clearTimeout(renew); // Nobody asked for anything: the button says what is wrong.
    }
  }

  say(words) {
    this.fault.hidden = words === "";
    this.fault.querySelector("span").textContent = words;
  }

  words(error) {
    if (error instanceof Refused) return error.message;
    if (error.name === "InvalidStateError") return "This device has a passkey of yours already.";
    if (error.name === "NotAllowedError") return "Nothing was done: the browser was told no, or waited for too long.";
    return "The browser cannot do this here.";
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  const ceremony = new Ceremony(form);
  form.hidden = false;
  document.getElementById("no-passkeys")?.remove();
  form.addEventListener("submit", (event) => { event.preventDefault(); ceremony.pressed(); });
  ceremony.offer();
}
