// Forms that must not be sent twice, and passkeys, which allauth's own scripts use.

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => {
    // Later, so that the button's own name is still sent.
    setTimeout(() => form.querySelectorAll("button").forEach((button) => (button.disabled = true)));
  });
}
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[data-once] button")) button.disabled = false;
});

if (window.PublicKeyCredential) {
  for (const element of document.querySelectorAll("[data-passkey]")) element.hidden = false;
}
document.addEventListener("allauth.error", (event) => {
  const notice = document.querySelector("[data-passkey-error]");
  if (!notice) return;
  event.preventDefault(); // else it would be an error on the console
  notice.hidden = false;
});
