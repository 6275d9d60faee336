/** What has to be known about a text of SQL before it is handed to a binding. */
export interface SqlText {
  /** First word of what the statement does, upper case: of `WITH … INSERT` it is `INSERT`. Empty: there is none. */
  readonly verb: string
  /** Where that word begins. */
  readonly start: number
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
  /** True when one of them begins a transaction, which none after it ends: BEGIN, or SAVEPOINT, which does so outside of one. */
  readonly begins: boolean
  /** What they do to savepoints, in their order. */
  readonly savepoints: readonly SavepointStep[]
  /** The first word of the first of them that ends a transaction: COMMIT, END, ROLLBACK without TO. Empty: there is none. */
  readonly ends: string
}

/** A statement on a savepoint. `name`: unquoted, lower case. */
export interface SavepointStep {
  readonly verb: 'SAVEPOINT' | 'RELEASE' | 'ROLLBACK'
  readonly name: string
}

/**
 * A token that matters here, or a piece that is to be skipped: quoted text, names, comments. A byte order mark is space, but for
 * within a name.
 */
const TOKENS =
  /'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|--[^\n]*|\/\*[^]*?(?:\*\/|$)|\?\d*|[:@$#][\w$\u0080-\uffff]+|[A-Za-z_\u0080-\ufefe\uff00-\uffff][\w$\u0080-\uffff]*|[0-9][\w.]*|[();]|[^\s]/g

/**
 * Reads `sql` as far as it matters: the bindings differ in what they make of a second statement (some drop it in silence), of
 * missing values (most bind NULL) and of values that are too many. Source: https://sqlite.org/lang_expr.html#varparam,
 * https://github.com/sqlite/sqlite/blob/master/src/tokenize.c
 */
export function readSql(sql: string): SqlText {
  const reader = new Reader()
  for (const match of sql.matchAll(TOKENS)) {
    const [token] = match
    if (token.startsWith('--') || token.startsWith('/*')) continue
    if (token === ';') reader.endStatement()
    else reader.read(token, match.index + token.length)
  }
  reader.endStatement()
  return reader
}

class Reader implements SqlText {
  verb = ''
  start = 0
  returning = false
  parameters = 0
  plain = true
  statements = 0
  end = 0
  begins = false
  savepoints: SavepointStep[] = []
  ends = ''
  #depth = 0
  #within = false
  /** The first four words of the statement. */
  #first: string[] = []
  /** Its first six tokens. */
  #tokens: string[] = []
  #last = ''
  #inTrigger = false
  #cases = 0

  read(token: string, end: number): void {
    this.end = end
    if (!this.#within) this.#beginStatement()
    if (this.#tokens.length < 6) this.#tokens.push(token)
    const start = token.charCodeAt(0)
    if (token === '(') this.#depth++
    else if (token === ')') this.#depth--
    else if (start === 0x3f || (token.length > 1 && ':@$#'.includes(token[0] as string))) {
      this.parameters++
      this.plain &&= token === '?'
    } else if (isWord(start)) this.#readWord(token.toUpperCase(), end - token.length)
  }

  endStatement(): void {
    if (this.#inTrigger || !this.#within) return
    this.#within = false
    const [verb = ''] = this.#first
    if (verb === 'BEGIN' || verb === 'SAVEPOINT') this.begins = true
    const isPart = verb === 'ROLLBACK' && this.#first.includes('TO')
    if (verb === 'SAVEPOINT' || verb === 'RELEASE' || isPart) {
      this.savepoints.push({ verb, name: savepointIn(this.#tokens) })
    } else if (ENDING.includes(verb)) {
      this.begins = false
      this.ends ||= verb
    }
  }

  #beginStatement(): void {
    this.#within = true
    this.statements++
    this.#first = []
    this.#tokens = []
    this.#depth = 0
  }

  #readWord(word: string, start: number): void {
    if (this.#first.length < 4) this.#first.push(word)
    if (this.#depth === 0) {
      if (this.statements === 1) this.#readVerb(word, start)
      if (word === 'RETURNING') this.returning = true
    }
    this.#last = word
    // The body of a trigger has statements of its own; it ends with an END that closes no CASE.
    if (!this.#inTrigger) {
      if (word === 'BEGIN' && this.#depth === 0 && TRIGGER.test(this.#first.join(' '))) this.#inTrigger = true
    } else if (word === 'CASE') this.#cases++
    else if (word === 'END' && this.#cases-- === 0) {
      this.#inTrigger = false
      this.#cases = 0
    }
  }

  #readVerb(word: string, start: number): void {
    if (this.verb !== '' && this.verb !== 'WITH') return
    if (this.verb === '' || AFTER_WITH.includes(word)) {
      this.verb = word
      this.start = start
    }
    // A name may be REPLACE; the others may not.
    else if (word === 'INTO' && this.#last === 'REPLACE') this.verb = 'REPLACE'
  }
}

const AFTER_WITH: readonly string[] = ['SELECT', 'VALUES', 'INSERT', 'UPDATE', 'DELETE']
const ENDING: readonly string[] = ['COMMIT', 'END', 'ROLLBACK']

const TRIGGER = /^CREATE (?:TEMP |TEMPORARY )?TRIGGER\b/

/** The name in SAVEPOINT name, RELEASE [SAVEPOINT] name, ROLLBACK [TRANSACTION] TO [SAVEPOINT] name: what comes last. */
function savepointIn(tokens: readonly string[]): string {
  const last = tokens.at(-1) ?? ''
  const quote = last[0] as string
  const name = !`"'\`[`.includes(quote) ? last : last.slice(1, -1).replaceAll(quote + quote, quote)
  return name.toLowerCase()
}

function isWord(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x5f || code >= 0x80
}
