/** What has to be known about a text of SQL before it is handed to a binding. */
export interface SqlText {
  /** First word of what the statement does, upper case: of `WITH … INSERT` it is `INSERT`. Empty: there is none. */
  readonly verb: string
  /** True when it answers the rows that it changes. */
  readonly returning: boolean
  /** How many parameters it has. */
  readonly parameters: number
  /** False when a parameter has a name or a number. */
  readonly plain: boolean
  /** How many statements there are. */
  readonly statements: number
  /** Where the last of them ends: only space, comments and semicolons come after it. */
  readonly end: number
}

/** A token that matters here, or a piece that is to be skipped: quoted text, names, comments. */
const TOKENS =
  /'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|--[^\n]*|\/\*[^]*?(?:\*\/|$)|\?\d*|[:@$#][\w$\u0080-\uffff]+|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|[0-9][\w.]*|[();]|[^\s]/g

/**
 * Reads `sql` as far as it matters: the bindings differ in what they make of a second statement (some drop it in silence), of
 * missing values (most bind NULL) and of values that are too many. Source: https://sqlite.org/lang_expr.html#varparam,
 * https://github.com/sqlite/sqlite/blob/master/src/tokenize.c
 */
export function readSql(sql: string): SqlText {
  let verb = ''
  let returning = false
  let parameters = 0
  let plain = true
  let statements = 0
  let end = 0
  let depth = 0
  let ended = true
  let first: string[] = []
  let inTrigger = false
  let cases = 0
  for (const match of sql.matchAll(TOKENS)) {
    const [token] = match
    const start = token.charCodeAt(0)
    if (token.startsWith('--') || token.startsWith('/*')) continue
    if (token === ';') {
      if (!inTrigger) ended = true
      continue
    }
    end = match.index + token.length
    if (ended) {
      ended = false
      statements++
      first = []
      depth = 0
    }
    if (token === '(') depth++
    else if (token === ')') depth--
    else if (start === 0x3f || (token.length > 1 && ':@$#'.includes(token[0] as string))) {
      parameters++
      plain &&= token === '?'
    } else if (isWord(start)) {
      const word = token.toUpperCase()
      if (first.length < 4) first.push(word)
      if (depth === 0) {
        if (statements === 1) verb = nextVerb(verb, word)
        if (word === 'RETURNING') returning = true
      }
      // The body of a trigger has statements of its own; it ends with an END that closes no CASE.
      if (!inTrigger && word === 'BEGIN' && first[0] === 'CREATE' && first.slice(1, 4).includes('TRIGGER')) {
        inTrigger = true
      } else if (inTrigger && word === 'CASE') cases++
      else if (inTrigger && word === 'END' && cases-- === 0) {
        inTrigger = false
        cases = 0
      }
    }
  }
  return { verb, returning, parameters, plain, statements, end }
}

const AFTER_WITH: readonly string[] = ['SELECT', 'VALUES', 'INSERT', 'REPLACE', 'UPDATE', 'DELETE']

function nextVerb(verb: string, word: string): string {
  if (verb === '') return word
  return verb === 'WITH' && AFTER_WITH.includes(word) ? word : verb
}

function isWord(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x5f || code >= 0x80
}
