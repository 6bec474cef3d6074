// What pages do beyond htmx: copy buttons. Without it everything can still be read.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  await navigator.clipboard.writeText(text);
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
});

// A page that renews itself says when it does not.
const lost = (is_lost) => { const said = document.getElementById("lost"); if (said) said.hidden = !is_lost; };
document.addEventListener("htmx:sseError", () => lost(true));
document.addEventListener("htmx:sseOpen", () => lost(false));
