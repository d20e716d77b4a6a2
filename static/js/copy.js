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

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
