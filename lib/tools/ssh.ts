/**
 * OpenSSH's client tools, by argv. Nexus always names its key, its known_hosts and its control socket, and reads none
 * of the user's configuration, so that readiness and exec never depend on it.
 */
import type { Runner, RunResult } from '../system/exec.ts'

export interface Destination {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly identityFile: string
  readonly knownHosts: string
  readonly hostKeyAlias: string
  /** Path of the ControlMaster's socket; undefined where no connection is shared. */
  readonly controlPath: string | undefined
}

/** The exit code of an ssh that could not connect. */
export const SSH_FAILURE = 255
/** The variable that carries others to the inside; the server takes it. */
export const CARRIER = 'NEXUS_WS_ENV'
/** A folder inside with no settings of any shell in it. */
const NO_DOTFILES = '/usr/local/lib/nexus/no-dotfiles'
/**
 * Keep the login shell inside from the user's dotfiles, which may print, read stdin, exit or change the shell. With
 * SHLVL=1 bash takes itself for a nested shell and reads none; zsh and fish look for theirs in the folder without
 * settings. `lib/ssh/session/settle.sh` removes these variables again.
 */
export const NO_DOTFILES_VARIABLES: Readonly<Record<string, string>> = {
  SHLVL: '1',
  ZDOTDIR: NO_DOTFILES,
  XDG_CONFIG_HOME: NO_DOTFILES,
}
/** Seconds that an unused master connection stays open. */
const PERSIST_S = 600
const LOGIN_TIMEOUT_MS = 20_000

/** Arguments of ssh that reach a workspace verified, without the user's ssh configuration. Dotfiles count. */
export function destinationArgs(destination: Destination): readonly string[] {
  return [
    ...['-F', 'none', '-p', String(destination.port), '-l', destination.user],
    ...options({
      // not by `-i`, which looks for the file before it reads the tokens
      IdentityFile: `"${withoutTokens(destination.identityFile)}"`,
      IdentitiesOnly: 'yes',
      BatchMode: 'yes',
      HostKeyAlias: destination.hostKeyAlias,
      UserKnownHostsFile: `"${withoutTokens(destination.knownHosts)}"`,
      GlobalKnownHostsFile: '/dev/null',
      StrictHostKeyChecking: 'yes',
      UpdateHostKeys: 'no',
      CheckHostIP: 'no',
      HostKeyAlgorithms: 'ssh-ed25519',
      KexAlgorithms: 'curve25519-sha256',
      PreferredAuthentications: 'publickey',
      ConnectTimeout: '10',
      LogLevel: 'ERROR',
      // a shared connection passes on only what it was opened with
      SendEnv: CARRIER,
    }),
  ]
}

/** The same for commands that Nexus itself sends, which read no dotfile inside. */
export function ownArgs(destination: Destination): readonly string[] {
  const pairs = Object.entries(NO_DOTFILES_VARIABLES).map(([name, value]) => `${name}=${value}`)
  return [...destinationArgs(destination), ...options({ SetEnv: pairs.join(' ') })]
}

/** The same through Nexus's own ControlMaster, which is opened when it is not there. */
export function masterArgs(destination: Destination): readonly string[] {
  return [
    ...ownArgs(destination),
    ...options({
      // not in destinationArgs: it would also switch off forwarding of the user's agent
      IdentityAgent: 'none',
      ControlMaster: 'auto',
      ControlPath: controlPathValue(destination),
      ControlPersist: String(PERSIST_S),
    }),
  ]
}

function options(values: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(values).flatMap(([key, value]) => ['-o', `${key}=${value}`])
}

/** A path in a setting of ssh's that takes a `%` for the beginning of a token. */
export function withoutTokens(path: string): string {
  return path.replaceAll('%', '%%')
}

/** In quotes, because the path may hold spaces. */
function controlPathValue({ controlPath }: Destination): string {
  return controlPath === undefined ? 'none' : `"${withoutTokens(controlPath)}"`
}

export function createSsh(runner: Runner) {
  /** Makes a passphrase-less ed25519 key pair at `path` and `path.pub`. */
  async function makeKey(path: string, comment: string): Promise<void> {
    await runner.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path])
  }

  /** The public half of the key at `path`, as a line; it is never asked for a passphrase. */
  async function publicHalf(path: string): Promise<string> {
    return (await runner.run(['ssh-keygen', '-y', '-P', '', '-f', path])).stdout
  }

  /** One real login with Nexus's own key; leaves the master open behind it. */
  async function login(destination: Destination): Promise<RunResult> {
    return runner.run(['ssh', ...masterArgs(destination), '--', destination.host, 'true'], {
      okCodes: 'any',
      timeoutMs: LOGIN_TIMEOUT_MS,
    })
  }

  /** A login by a separate connection. */
  async function loginOnce(destination: Destination): Promise<RunResult> {
    const argv = [
      'ssh',
      ...ownArgs(destination),
      '-o',
      'ControlPath=none',
      '-o',
      'IdentityAgent=none',
      '--',
      destination.host,
      'true',
    ]
    return runner.run(argv, { okCodes: 'any', timeoutMs: LOGIN_TIMEOUT_MS })
  }

  /** True while the master connection is open; without one, while the workspace's port answers. */
  async function hasMaster(destination: Destination): Promise<boolean> {
    const { code } =
      destination.controlPath === undefined ? await loginOnce(destination) : await control(destination, 'check')
    return code === 0
  }

  async function closeMaster(destination: Destination): Promise<void> {
    if (destination.controlPath !== undefined) await control(destination, 'exit')
  }

  /** What runs over it goes on; the next one opens another. */
  async function retireMaster(destination: Destination): Promise<void> {
    if (destination.controlPath !== undefined) await control(destination, 'stop')
  }

  function control(destination: Destination, command: 'check' | 'exit' | 'stop'): Promise<RunResult> {
    const argv = [
      'ssh',
      '-F',
      'none',
      '-o',
      `ControlPath=${controlPathValue(destination)}`,
      '-O',
      command,
      '--',
      destination.host,
    ]
    return runner.run(argv, { okCodes: 'any', timeoutMs: 5_000 })
  }

  return { makeKey, publicHalf, login, loginOnce, hasMaster, closeMaster, retireMaster }
}
