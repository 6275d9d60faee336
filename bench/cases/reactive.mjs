export function reactiveCases() { return { cases: [] } }
