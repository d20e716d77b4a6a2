// Copy buttons: hidden without JavaScript, since the text beside them can be selected by hand.
// <button data-copy="id of the element" data-done="Copied" hidden>Copy</button>

const SHOWN_MS = 1600;

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = button.dataset.done;
  } catch {
    getSelection().selectAllChildren(source); // no permission: one key press is left to do
    return;
  }
  setTimeout(() => {
    button.textContent = label;
  }, SHOWN_MS);
}

function show(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = false;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) copy(button);
});
show(document);
document.addEventListener("htmx:load", (event) => show(event.target)); // what was swapped in
