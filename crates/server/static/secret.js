// The page that shows a key once. It cannot be left by accident: the dialog is modal, does not
// close, and the browser asks before it goes elsewhere. Afterwards the key is wiped from the page.

const dialog = document.getElementById("secret");
const value = document.getElementById("secret-value");
const copy = document.getElementById("secret-copy");
let stored = false;

dialog.removeAttribute("open");
dialog.showModal();
dialog.addEventListener("cancel", (event) => event.preventDefault());
dialog.addEventListener("close", () => dialog.showModal());
dialog.querySelector("form").addEventListener("submit", () => { stored = true; });
addEventListener("beforeunload", (event) => { if (!stored) event.preventDefault(); });
addEventListener("pagehide", () => { value.value = ""; });

value.addEventListener("focus", () => value.select());
value.select();

copy.hidden = false;
copy.addEventListener("click", async () => {
  const said = document.getElementById("secret-said");
  try {
    await navigator.clipboard.writeText(value.value);
    said.textContent = "Copied. Store it before you go on.";
  } catch {
    value.focus();
    said.textContent = "The browser did not let it be copied. It is selected: press Ctrl+C.";
  }
});
