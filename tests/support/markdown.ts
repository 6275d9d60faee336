/** Languages that are neither compiled nor run: they show data, output or a picture. */
const SHOWN = [
  '',
  'text',
  'txt',
  'json',
  'jsonc',
  'jsonl',
  'sql',
  'mermaid',
  'diff',
  'html',
  'css',
  'yaml',
  'toml',
  'md',
]
const PROGRAMS = ['ts', 'tsx', 'js']
const SHELL = ['sh']

/** One fenced block of a Markdown file. Lines are counted from 1. */
export interface Block {
  readonly language: string
  /** Line of the opening fence. */
  readonly line: number
  readonly text: string
  /** Goes on where the program of the block before in the same file ended. */
  readonly continued: boolean
  /** Why it is compiled but not run; undefined when it is run. */
  readonly noRun: string | undefined
}

/** Blocks of one file that make up one program, as one text whose lines have the numbers they have in the file. */
export interface Program {
  readonly file: string
  /** Line of the first block. */
  readonly line: number
  readonly language: string
  readonly text: string
  readonly noRun: string | undefined
}

/** What a Markdown file asks for, and what is wrong with how it asks. */
export interface Document {
  readonly programs: readonly Program[]
  readonly shell: readonly Block[]
  readonly mistakes: readonly string[]
}

/**
 * Reads the code blocks of a Markdown file.
 *
 * - A `ts`, `tsx` or `js` block is a program of its own, a module that may use top-level await.
 * - `ts continue`: the block goes on with the program of the block before it.
 * - `ts no-run`: it is compiled and not run; the line above the fence says why: `<!-- no-run: needs a browser -->`.
 * - `<!-- hidden` … `-->` before a block: code that readers need not see, put in front of it.
 * - A `sh` block holds commands; see `shellMistakes`.
 * - Any other language must be one that is only shown.
 */
export function readDocument(file: string, markdown: string): Document {
  const lines = markdown.split('\n')
  const mistakes: string[] = []
  const shell: Block[] = []
  const programs: { first: Block; lines: string[]; noRun: string | undefined }[] = []
  let hidden: { line: number; lines: readonly string[] } | undefined

  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? ''
    if (/^<!-- hidden\s*$/.test(line)) {
      const end = lines.indexOf('-->', index)
      if (end === -1) mistakes.push(`${file}:${index + 1}: the hidden part is not closed by a line with only -->`)
      else hidden = { line: index + 2, lines: lines.slice(index + 1, end) }
      index = end === -1 ? index : end
      continue
    }
    const fence = /^(\s*)(`{3,}|~{3,})\s*(.*)$/.exec(line)
    if (fence === null) {
      if (line.trim() !== '' && !line.startsWith('<!--')) hidden = undefined
      continue
    }
    const [, indent = '', marks = '', info = ''] = fence
    const end = lines.findIndex(
      (other, at) =>
        at > index && other.trim().startsWith(marks) && other.trim() === other.trim()[0]?.repeat(other.trim().length),
    )
    if (end === -1) {
      mistakes.push(`${file}:${index + 1}: the code block is not closed`)
      break
    }
    const body = lines.slice(index + 1, end).map((text) => (text.startsWith(indent) ? text.slice(indent.length) : text))
    const [language = '', ...flags] = info.trim().split(/\s+/)
    const reason = flags.includes('no-run')
      ? (/^\s*<!-- no-run: (.+?) -->\s*$/.exec(lines[index - 1] ?? '')?.[1] ?? '')
      : undefined
    const block: Block = {
      language,
      line: index + 1,
      text: body.join('\n'),
      continued: flags.includes('continue'),
      noRun: reason,
    }
    for (const mistake of blockMistakes(block, flags, programs.at(-1)?.first))
      mistakes.push(`${file}:${block.line}: ${mistake}`)
    if (SHELL.includes(language)) shell.push(block)
    else if (PROGRAMS.includes(language)) {
      if (!block.continued || programs.length === 0) programs.push({ first: block, lines: [], noRun: block.noRun })
      const program = programs.at(-1)
      if (hidden !== undefined) place(program?.lines ?? [], hidden.line, hidden.lines)
      place(program?.lines ?? [], block.line + 1, body)
    }
    hidden = undefined
    index = end
  }
  return {
    programs: programs.map(({ first, lines: text, noRun }) => ({
      file,
      line: first.line,
      language: first.language,
      text: `${withoutRepeatedImports(text).join('\n')}\n`,
      noRun,
    })),
    shell,
    mistakes,
  }
}

function blockMistakes(block: Block, flags: readonly string[], previous: Block | undefined): string[] {
  const mistakes: string[] = []
  if (![...SHOWN, ...PROGRAMS, ...SHELL].includes(block.language)) {
    mistakes.push(
      `language "${block.language}" is unknown here; use ts, tsx, js, sh, or one that is only shown: ${SHOWN.slice(1).join(', ')}`,
    )
  }
  for (const flag of flags) {
    if (!['continue', 'no-run'].includes(flag)) mistakes.push(`"${flag}" means nothing here; it is continue or no-run`)
  }
  if (flags.length > 0 && !PROGRAMS.includes(block.language))
    mistakes.push('only ts, tsx and js blocks take continue and no-run')
  if (block.noRun === '') mistakes.push('no-run without a reason; the line above must be <!-- no-run: why -->')
  if (block.continued && previous?.language !== block.language)
    mistakes.push('there is no block of that language to continue')
  if (block.continued && block.noRun !== undefined) mistakes.push('a block that continues another is run with it')
  return mistakes
}

/** Puts `text` into `lines` from line number `first` on, with empty lines before it. */
function place(lines: string[], first: number, text: readonly string[]): void {
  while (lines.length < first - 1) lines.push('')
  lines.push(...text)
}

/** A later block may repeat an import for its readers; the program has it once. */
function withoutRepeatedImports(lines: readonly string[]): string[] {
  const seen = new Set<string>()
  return lines.map((line) => {
    if (!/^import .* from ['"]/.test(line)) return line
    if (seen.has(line)) return ''
    seen.add(line)
    return line
  })
}

/** What a shell block may rely on. */
export interface ShellContext {
  /** Scripts of package.json. */
  readonly scripts: readonly string[]
  /** Answers whether a path of the repository is there. */
  exists(path: string): boolean
  /** Text of `varve <command> --help`; undefined where there is no such command. */
  help(command: readonly string[]): string | undefined
}

/** Programs that readers have or install themselves; their commands are not checked. */
const FOREIGN = ['git', 'cd', 'sqlite3', 'mkdir', 'rm', 'ls', 'cat', 'kill', 'export']
const NPM_COMMANDS = ['install', 'rebuild']

/**
 * What is wrong with the commands of a `sh` block: one that is not on the list of those that are checked or foreign, a
 * script or file that is not there, an option that the command's help does not name. Nothing is run but `--help`.
 */
export function shellMistakes(file: string, block: Block, context: ShellContext): string[] {
  const mistakes: string[] = []
  const lines = block.text.replaceAll(/\\\n\s*/g, '  ').split('\n')
  lines.forEach((line, index) => {
    const command = line
      .replace(/^\s*\$ /, '')
      .replace(/(^|\s)#.*$/, '')
      .trim()
    for (const part of command.split(/\s*(?:&&|\|\||\||;)\s*/)) {
      if (part === '') continue
      const mistake = commandMistake(part.split(/\s+/), context)
      if (mistake !== undefined) mistakes.push(`${file}:${block.line + 1 + index}: \`${part}\`: ${mistake}`)
    }
  })
  return mistakes
}

function commandMistake(words: readonly string[], context: ShellContext): string | undefined {
  const [program = '', ...args] = words.filter((word) => !/^[A-Z_]+=/.test(word))
  if (FOREIGN.includes(program)) return undefined
  switch (program) {
    case 'npm':
      return npmMistake(args, context)
    case 'npx':
      return args[0] === 'varve' ? varveMistake(args.slice(1), context) : 'only npx varve is known'
    case 'varve':
      return varveMistake(args, context)
    case 'node':
    case 'bash': {
      const path = args.find((arg) => !arg.startsWith('-')) ?? ''
      return context.exists(path) ? undefined : `there is no file ${path}`
    }
    default:
      return `${program} is not on the list of commands that a document may show (tests/support/markdown.ts)`
  }
}

function npmMistake([command = '', ...rest]: readonly string[], context: ShellContext): string | undefined {
  if (NPM_COMMANDS.includes(command)) return undefined
  const script = command === 'run' ? (rest[0] ?? '') : command
  if (!context.scripts.includes(script)) return `package.json has no script "${script}"`
  if (script !== 'start') return undefined
  const separator = rest.indexOf('--')
  return separator === -1 ? undefined : varveMistake(['demo', ...rest.slice(separator + 1)], context)
}

function varveMistake(args: readonly string[], context: ShellContext): string | undefined {
  const command = args.slice(0, 1).filter((arg) => !arg.startsWith('-'))
  const help = context.help(command)
  if (help === undefined) return `varve has no command "${command.join(' ')}"`
  const options = args.filter((arg) => /^--?[a-z]/i.test(arg)).map((arg) => arg.replace(/=.*$/, ''))
  const unknown = options.find((option) => !new RegExp(`(^|[\\s,])${option}(?![\\w-])`, 'm').test(help))
  return unknown === undefined ? undefined : `varve ${command.join(' ')} has no option ${unknown}`
}
