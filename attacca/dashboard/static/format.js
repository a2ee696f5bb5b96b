// Numbers and times as people read them.

export function count(value) {
  return value < 10000 ? String(value) : value < 1e6 ? (value / 1e3).toFixed(value < 1e5 ? 1 : 0) + " k" : (value / 1e6).toFixed(1) + " M";
}

export function msParts(ms) {
  if (ms === null || ms === undefined) return ["–", ""];
  if (ms < 10) return [ms.toFixed(ms < 1 ? 2 : 1), "ms"];
  if (ms < 1000) return [ms.toFixed(0), "ms"];
  return [(ms / 1000).toFixed(ms < 10000 ? 1 : 0), "s"];
}

// With the prefix that leaves one to three digits before the point.
function scaled(value, unit) {
  if (value === null || value === undefined) return ["–", ""];
  const [by, prefix] = [[1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"]].find(([least]) => Math.abs(value) >= least) || [1e-3, "m"];
  const number = value / by;
  return [number.toFixed(value === 0 ? 0 : Math.abs(number) < 10 ? 2 : Math.abs(number) < 100 ? 1 : 0), prefix + unit];
}

export const watts = (value) => scaled(value, "W");
export const joules = (value) => scaled(value, "J");
export const ms = (value) => msParts(value).join(" ").trim();
export const percent = (share) => (share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0) + " %";
export const mb = (value) => (value < 10240 ? value + " MB" : (value / 1024).toFixed(0) + " GB");

export function span(seconds) {
  const value = Math.abs(seconds);
  if (value < 1) return "under 1 s";
  if (value < 90) return value.toFixed(0) + " s";
  if (value < 5400) return (value / 60).toFixed(0) + " min";
  if (value < 129600) return (value / 3600).toFixed(0) + " h";
  return (value / 86400).toFixed(0) + " days";
}

export const ago = (at) => (!at ? "–" : Date.now() / 1000 - at < 1 ? "just now" : span(Date.now() / 1000 - at) + " ago");
export const until = (at) => (at ? "in " + span(at - Date.now() / 1000) : "–");
export const clock = (at, digits = 0) => {
  const date = new Date(at * 1000);
  const whole = [date.getHours(), date.getMinutes(), date.getSeconds()].map((one) => String(one).padStart(2, "0")).join(":");
  return digits ? whole + "." + String(date.getMilliseconds()).padStart(3, "0").slice(0, digits) : whole;
};
export const day = (at) => {
  const date = new Date(at * 1000);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((one) => String(one).padStart(2, "0")).join("-");
};
// Without the day where it is today, and without the year.
export const short = (at) => (day(at) === day(Date.now() / 1000) ? "" : new Date(at * 1000).toLocaleDateString("en", { month: "short", day: "numeric" }) + " ") + clock(at).replace(/:00$/, "");
export const when = (at) => day(at) + " " + clock(at);
