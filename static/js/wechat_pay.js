// Pays an order inside WeChat: asks its bridge and says what it answered. Whether the money came
// is for the page to see (billing.js): the bridge's word credits nothing.

const SAID = /^get_brand_wcpay_request:(ok|cancel|fail)/;

const block = () => document.querySelector("[data-wechat-call]");

function say(word) {
  for (const text of document.querySelectorAll("[data-wechat-said]")) {
    text.hidden = text.dataset.wechatSaid !== word;
  }
  const order = document.getElementById("order");
  if (word === "ok" && order?.hasAttribute("hx-get")) window.htmx.trigger(order, "look");
}

function pay() {
  const call = JSON.parse(block().dataset.wechatCall);
  say("");
  window.WeixinJSBridge.invoke("getBrandWCPayRequest", call, (answer) => {
    say(SAID.exec(answer.err_msg)?.[1] ?? "fail");
  });
}

// The part of the page that changes brings a new button along.
function show() {
  const button = block()?.querySelector("[data-wechat-pay]");
  if (button) button.hidden = false;
}

function ready() {
  show();
  document.addEventListener("htmx:afterSwap", show);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-wechat-pay]")) pay();
  });
  const here = new URL(location.href);
  if (here.searchParams.has("go") && block()) {
    // Opened by itself once: not again when the page is loaded anew.
    here.searchParams.delete("go");
    history.replaceState(null, "", here);
    pay();
  }
}

if (window.WeixinJSBridge) ready();
else document.addEventListener("WeixinJSBridgeReady", ready, { once: true });
