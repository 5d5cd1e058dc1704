// When a key ends, as its forms say it ("never", or a number of seconds from now): seconds since the epoch.
export const endOf = (ends) => (ends === "never" ? 0 : Math.floor(Date.now() / 1000) + Number(ends));
