// The completion scripts of shells, made of the table of commands.

export interface Completable {
  readonly name: string
  readonly summary: string
  readonly verbs: readonly string[]
  readonly flags: readonly { readonly name: string; readonly takesValue: boolean }[]
}

/** Flags whose value is a file or a directory. */
const files = new Set([
  'actors',
  'config',
  'creds',
  'embedded',
  'nkey',
  'password-file',
  'results',
  'tls-ca',
  'tls-cert',
  'tls-key',
])

const names = (commands: readonly Completable[]) => commands.map(({ name }) => name)
const flagsOf = ({ flags }: Completable) => flags.map(({ name }) => `--${name}`)
const withFiles = [...files].map(name => `--${name}`)

export function bashScript(commands: readonly Completable[]): string {
  const values = new Set(
    commands.flatMap(({ flags }) =>
      flags.filter(({ takesValue }) => takesValue).map(({ name }) => `--${name}`),
    ),
  )
  const other = [...values].filter(flag => !withFiles.includes(flag))
  const cases = commands.map(
    command =>
      `    ${command.name}) verbs="${command.verbs.join(' ')}" flags="${flagsOf(command).join(' ')}" ;;`,
  )
  return `# bash completion for cairn: source <(cairn completion bash)
_cairn() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" verbs="" flags=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names(commands).join(' ')} help --help --version" -- "$word"))
    return
  fi
  case "$before" in
    ${withFiles.join('|')}) COMPREPLY=($(compgen -f -- "$word")); return ;;
    ${other.join('|')}) return ;;
  esac
  case "\${COMP_WORDS[1]}" in
    help) COMPREPLY=($(compgen -W "${names(commands).join(' ')}" -- "$word")); return ;;
${cases.join('\n')}
  esac
  if [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$word"))
  elif [ "$COMP_CWORD" -eq 2 ] && [ -n "$verbs" ]; then COMPREPLY=($(compgen -W "$verbs" -- "$word"))
  else COMPREPLY=($(compgen -f -- "$word")); fi
}
complete -o filenames -F _cairn cairn
`
}

export function zshScript(commands: readonly Completable[]): string {
  const described = commands.map(
    ({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`,
  )
  const cases = commands.map(command => {
    const flags = command.flags.map(({ name, takesValue }) => {
      const value = files.has(name) ? ':file:_files' : takesValue ? ':value:' : ''
      return quoted(`--${name}${takesValue ? '=' : ''}[${name}]${value}`)
    })
    const first =
      command.verbs.length > 0
        ? quoted(`1:verb:(${command.verbs.join(' ')})`)
        : "'*:file:_files'"
    return `    ${command.name}) _arguments ${flags.join(' ')} ${first} ;;`
  })
  return `#compdef cairn
# zsh completion for cairn: source <(cairn completion zsh)
_cairn() {
  local -a commands
  commands=(
${described.join('\n')}
    'help:explain a command'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$command" in
    help) _describe command commands ;;
${cases.join('\n')}
  esac
}
compdef _cairn cairn
`
}

export function fishScript(commands: readonly Completable[]): string {
  const lines = commands.flatMap(({ name, summary, verbs, flags }) => {
    const inside = `-n '__fish_seen_subcommand_from ${name}'`
    const first = `-n '__fish_seen_subcommand_from ${name}; and not __fish_seen_subcommand_from ${verbs.join(' ')}'`
    return [
      `complete -c cairn -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
      ...verbs.map(verb => `complete -c cairn ${first} -f -a ${verb}`),
      ...flags.map(
        flag =>
          `complete -c cairn ${inside} -l ${flag.name}${flag.takesValue ? (files.has(flag.name) ? ' -r -F' : ' -x') : ''}`,
      ),
    ]
  })
  return `# fish completion for cairn: cairn completion fish | source
complete -c cairn -e
complete -c cairn -n __fish_use_subcommand -f -l help
complete -c cairn -n __fish_use_subcommand -f -l version
complete -c cairn -n __fish_use_subcommand -f -a help -d 'explain a command'
complete -c cairn -n '__fish_seen_subcommand_from help' -f -a '${names(commands).join(' ')}'
${lines.join('\n')}
`
}

/** In single quotes, for each of the shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
