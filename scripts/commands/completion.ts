/** Completion scripts: each asks `nexus complete` for candidates, so that names are live and no list is kept twice. */

const BASH = `# nexus completion for bash: source <(nexus completion bash)
_nexus() {
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  mapfile -t COMPREPLY < <(nexus complete -- "\${words[@]}" 2>/dev/null)
}
complete -o default -F _nexus nexus
`

const ZSH = `#compdef nexus
# nexus completion for zsh: source <(nexus completion zsh)
_nexus() {
  local -a candidates
  candidates=("\${(@f)$(nexus complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ -n "\${candidates[1]}" ]] && compadd -- "\${candidates[@]}"
}
compdef _nexus nexus
`

const FISH = `# nexus completion for fish: nexus completion fish | source
function __nexus_complete
    set -l words (commandline -opc) (commandline -ct)
    nexus complete -- $words[2..-1] 2>/dev/null
end
complete -c nexus -f -a '(__nexus_complete)'
`

const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH }

export const SHELLS: readonly string[] = Object.keys(SCRIPTS)

export function completionScript(shell: string): string | undefined {
  return Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined
}
