// A key that was just made goes along to the page Connect, in this tab and for one page only.
const NAME = "handed-over-key";

export const handOver = (secret) => sessionStorage.setItem(NAME, secret);

export function takeHandedOver() {
  const secret = sessionStorage.getItem(NAME) || "";
  sessionStorage.removeItem(NAME);
  return secret;
}
