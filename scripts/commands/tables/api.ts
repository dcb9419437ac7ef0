/** The commands of the server and of those who use it, as data; see `table.ts`. */
import type { Command } from '../command.ts'

const client = () => import('../api.ts')

export const API: readonly Command[] = [
  {
    name: 'serve',
    effect: 'changes',
    summary: 'serve the REST API on a unix socket until interrupted; commands work beside it as ever',
    args: [],
    options: [{ flag: '--port <port>', text: 'also on this port of the loopback address, with a token; 0 for any' }],
    example: 'nexus serve --port 0',
    endless: true,
    load: async () => (await import('../serve.ts')).serve,
  },
  {
    name: 'api',
    effect: 'changes',
    summary: 'ask the REST API of this home, whose server is started when it does not run',
    args: [{ name: 'path', text: 'such as /workspaces; /api/v1 may be left out' }],
    options: [
      { flag: '-X, --method <method>', text: 'GET, POST, PUT or DELETE; default: POST with --data, else GET' },
      { flag: '--data <json>', text: 'the body; @file takes it from a file, - from stdin' },
    ],
    example: 'nexus api /workspaces',
    load: async () => (await client()).api,
  },
  {
    name: 'api token',
    effect: 'changes',
    summary: 'show the token that the API asks for on its port, or make another one',
    args: [{ name: 'verb', text: 'show or rotate' }],
    options: [],
    example: 'nexus api token show',
    load: async () => (await client()).token,
  },
  {
    name: 'serve status',
    effect: 'looks',
    summary: 'show whether the API is served, by which process and where',
    args: [],
    options: [],
    example: 'nexus serve status',
    load: async () => (await client()).status,
  },
  {
    name: 'serve stop',
    effect: 'changes',
    summary: 'end the server; operations that run are interrupted and undone',
    args: [],
    options: [],
    example: 'nexus serve stop',
    load: async () => (await client()).stop,
  },
]
