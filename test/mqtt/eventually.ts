/** Waits for a condition. Slow machines only make it wait longer; the limit is for what will never come. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  limitMs = 30_000,
): Promise<NonNullable<T>> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > endMs) throw new Error(`never happened within ${limitMs} ms: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
