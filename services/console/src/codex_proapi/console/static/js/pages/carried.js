// A key that was just made goes along to the page Connect, in this tab and for one page only.
const NAME = "carried-key";

export const carry = (secret) => sessionStorage.setItem(NAME, secret);

export function carried() {
  const secret = sessionStorage.getItem(NAME) || "";
  sessionStorage.removeItem(NAME);
  return secret;
}
