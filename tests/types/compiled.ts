/** The code is checked by the compiler and never run: most of it must not compile. */
export function compiled(_code: () => unknown): void {}
