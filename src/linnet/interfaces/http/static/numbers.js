// Numbers as people read them: always with their unit, never more digits than were measured.

const GROUPED = new Intl.NumberFormat("en");

export const count = (number) => GROUPED.format(number);

/** 0.00001 -> "< 0.1 ms", 0.00031 -> "0.3 ms", 0.0142 -> "14 ms", 1.5619 -> "1.56 s", 75 -> "75 s" */
export function time(seconds) {
  const thousandths = seconds * 1000;
  if (thousandths < 0.05) return "< 0.1 ms";
  if (thousandths < 9.95) return `${thousandths.toFixed(1)} ms`;
  if (thousandths < 999.5) return `${Math.round(thousandths)} ms`;
  return `${seconds.toFixed(seconds < 9.995 ? 2 : seconds < 59.95 ? 1 : 0)} s`;
}

/** The same for a round number, without zeros behind the point: 1 -> "1 s" */
export const round = (seconds) => (seconds < 0.9995 ? `${+(seconds * 1000).toPrecision(3)} ms` : `${+seconds.toPrecision(3)} s`);

/** 488258984 -> "466 MiB" */
export function bytes(number) {
  const mib = number / 2 ** 20;
  return mib < 1024 ? `${Math.round(mib)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}

export const rate = (perSecond) => `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} tokens/s`;

/** "1 token", "7 tokens" */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
