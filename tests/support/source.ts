import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { parseSync } from 'oxc-parser'

/** Source files by path from the root of the repository, with `/` between the parts. */
export type SourceFiles = ReadonlyMap<string, string>

/** A node of the syntax tree (ESTree with TypeScript); `type` decides which other fields it has. */
export interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

/** One import, of whatever kind: `import`, `import type`, `export … from`, `import()`, `import('…')` in a type. */
export interface Import {
  /** As written. */
  readonly specifier: string
  /** Gone after compilation. */
  readonly typeOnly: boolean
  readonly line: number
}

/** All files under `folder` whose name ends in one of `endings`, by path from `root`. */
export function readSources(root: string, folder: string, endings: readonly string[] = ['.ts']): Map<string, string> {
  const files = new Map<string, string>()
  const entries = readdirSync(join(root, folder), { withFileTypes: true }).toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  )
  for (const entry of entries) {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) for (const [inner, text] of readSources(root, path, endings)) files.set(inner, text)
    else if (endings.some((ending) => entry.name.endsWith(ending)))
      files.set(path, readFileSync(join(root, path), 'utf8'))
  }
  return files
}

/** Parses one file. @throws {Error} it is not TypeScript; the message names the file and the line. */
export function parse(path: string, text: string): { program: SyntaxNode; comments: readonly Comment[] } {
  const { program, comments, errors } = parseSync(path, text, { sourceType: 'module' })
  const error = errors[0]
  if (error !== undefined) throw new Error(`${path}:${lineAt(text, error.labels[0]?.start ?? 0)}: ${error.message}`)
  return { program: program as unknown as SyntaxNode, comments }
}

/** The names that a file exports by `export { … }`, types included. */
export function exportedNames(path: string, text: string): string[] {
  const names: string[] = []
  walk(parse(path, text).program, ({ type, exported }) => {
    if (type === 'ExportSpecifier') names.push(String((exported as { name?: string }).name))
  })
  return names
}

export interface Comment {
  readonly value: string
  readonly start: number
  readonly end: number
}

/** Calls `visit` for every node below and including `node`, parents first; `ancestors` starts at the root. */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, ancestors: readonly SyntaxNode[]) => void,
  ancestors: readonly SyntaxNode[] = [],
): void {
  visit(node, ancestors)
  const inner = [...ancestors, node]
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const item of value as unknown[]) if (isNode(item)) walk(item, visit, inner)
    } else if (isNode(value)) walk(value, visit, inner)
  }
}

/** True where a field of a node holds a node. */
export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}

/** The text of a string literal, or of a template without placeholders; undefined for anything else. */
export function literalText(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  if (node.type === 'Literal') return typeof node['value'] === 'string' ? node['value'] : undefined
  if (node.type === 'TSLiteralType') return literalText(node['literal'])
  if (node.type !== 'TemplateLiteral') return undefined
  const quasis = node['quasis'] as readonly { value: { cooked: string } }[]
  return quasis.length === 1 ? quasis[0]?.value.cooked : undefined
}

/** Number of the line (from 1) that holds character `offset`. */
export function lineAt(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1
  return line
}

/** Every module that `text` names, with `process.getBuiltinModule` and `require` counted as imports. */
export function importsOf(path: string, text: string): Import[] {
  const imports: Import[] = []
  walk(parse(path, text).program, (node) => {
    const add = (source: unknown, typeOnly: boolean): void => {
      const specifier = literalText(source)
      if (specifier !== undefined) imports.push({ specifier, typeOnly, line: lineAt(text, node.start) })
    }
    switch (node.type) {
      case 'ImportDeclaration':
        // `import { type T }` keeps the import under verbatimModuleSyntax, so only `import type` counts as gone.
        add(node['source'], node['importKind'] === 'type')
        break
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration':
        add(node['source'], node['exportKind'] === 'type')
        break
      case 'ImportExpression':
        add(node['source'], false)
        break
      case 'TSImportType':
        add(node['source'] ?? node['argument'], true)
        break
      case 'CallExpression':
        if (['require', 'getBuiltinModule'].includes(calleeName(node))) {
          add((node['arguments'] as readonly unknown[])[0], false)
        }
        break
      default:
    }
  })
  return imports
}

/** Last name of what is called or constructed: `assert` for `assert(…)` and `x.assert(…)`; '' for anything unnamed. */
export function calleeName(call: SyntaxNode): string {
  let callee = call['callee']
  if (isNode(callee) && callee.type === 'ChainExpression') callee = callee['expression']
  if (!isNode(callee)) return ''
  if (callee.type === 'Identifier') return callee['name'] as string
  if (callee.type === 'MemberExpression' && !callee['computed']) return (callee['property'] as { name: string }).name
  return ''
}

/** The path that a relative specifier in `from` means among TypeScript sources: `./x.js` is `x.ts` beside it. */
export function resolveRelative(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts')
}
