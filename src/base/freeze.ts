export function deepFreeze<T>(value: T): T {
  // Typed arrays cannot be frozen (ECMAScript 10.4.5.3).
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
