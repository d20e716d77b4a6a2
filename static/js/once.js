// A form that is sent once: the second click of a double click does nothing.
// <form data-once>. The server holds to it as well, for readers without JavaScript.

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent !== undefined) event.preventDefault();
    form.dataset.sent = "";
  });
}

// Back from the answer, the browser may show the form as it was left.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) delete form.dataset.sent;
});
