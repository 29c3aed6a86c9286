// Checks go on after a failure: one run of minutes shall tell all that is wrong.
let passed = 0;
const failed = [];

/** @param {string} name @param {unknown} ok @param {unknown} [detail] */
export function check(name, ok, detail) {
  const words =
    detail === undefined ? '' : `: ${typeof detail === 'string' ? detail : JSON.stringify(detail)}`;
  if (ok) passed++;
  else failed.push(`${name}${words}`);
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}${words}`);
}

/** Runs one story; what it throws is one failure of it. */
export async function story(name, f) {
  try {
    await f((what, ok, detail) => check(`${name}: ${what}`, ok, detail));
  } catch (e) {
    check(
      `${name}: ran to its end`,
      false,
      e instanceof Error ? (e.stack ?? e.message).slice(0, 900) : String(e),
    );
  }
}

export function close() {
  for (const f of failed) console.error(`FAIL ${f}`);
  console.log(`${passed} passed, ${failed.length} failed`);
  return failed.length === 0 && passed > 0 ? 0 : 1;
}
