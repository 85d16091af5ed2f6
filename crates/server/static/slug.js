// Suggests a slug from the name for as long as the person has not typed one.

const MAX_CHARS = 48;

function suggest(name) {
  const letters = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return letters.replace(/[^a-z0-9]+/g, "-").replace(/^-/, "").slice(0, MAX_CHARS).replace(/-$/, "");
}

for (const slug of document.querySelectorAll("[data-slug-of]")) {
  const name = document.getElementById(slug.dataset.slugOf);
  let own = slug.value !== "";
  slug.addEventListener("input", () => { own = slug.value !== ""; });
  name.addEventListener("input", () => { if (!own) slug.value = suggest(name.value); });
}
