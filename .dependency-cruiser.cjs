// The rooms of src/ and what each may import. Data moves one way; nothing below knows anything above.
// `errors.ts` (the base class of what the world does to us) may be imported by every room.
const GROUND = ['addr', 'hash', 'wire', 'capture', 'flow', 'conntrack', 'route', 'control'];
const MAY_IMPORT = {
  addr: [],
  hash: ['addr', 'wire'],
  control: [],
  wire: ['addr'],
  capture: [],
  route: ['addr', 'hash'],
  flow: ['addr', 'hash', 'wire', 'capture'],
  conntrack: ['addr', 'hash', 'wire'],
  cluster: ['addr', 'hash', 'route', 'control'],
  input: ['addr', 'cluster'],
  collect: ['cluster'],
  netfilter: ['addr', 'hash', 'wire', 'conntrack', 'route'],
  audit: ['addr', 'cluster'],
  bgp: ['addr', 'route', 'capture', 'flow'],
  state: [...GROUND, 'cluster', 'netfilter'],
  explain: [...GROUND, 'cluster', 'state'],
  timeline: [...GROUND, 'cluster', 'state'],
  'recover-seed': [...GROUND, 'cluster', 'state', 'timeline'],
  outcome: [...GROUND, 'cluster', 'state', 'timeline'],
  engine: [...GROUND, 'netfilter', 'cluster', 'state', 'timeline', 'outcome'],
  oracle: [...GROUND, 'netfilter', 'cluster', 'state', 'timeline', 'outcome'],
  dataplane: [...GROUND, 'cluster', 'state', 'timeline', 'outcome', 'oracle'],
  verdict: [...GROUND, 'cluster', 'state', 'timeline', 'outcome', 'engine', 'oracle'],
  'what-if': [...GROUND, 'cluster', 'state', 'timeline', 'outcome', 'verdict'],
  stories: [...GROUND, 'cluster', 'state', 'timeline', 'verdict', 'what-if'],
  report: [
    ...GROUND,
    'cluster',
    'state',
    'timeline',
    'verdict',
    'what-if',
    'explain',
    'recover-seed',
    'stories',
  ],
  live: [
    ...GROUND,
    'bgp',
    'cluster',
    'state',
    'timeline',
    'outcome',
    'engine',
    'verdict',
    'what-if',
    'stories',
    'report',
  ],
};
const rooms = Object.keys(MAY_IMPORT);
const rules = rooms.map((room) => ({
  name: `${room}-imports`,
  severity: 'error',
  comment: `src/${room} may import only: ${MAY_IMPORT[room].join(', ') || 'nothing'}`,
  from: { path: `^src/${room}/` },
  to: {
    path: '^src/',
    pathNot: [`^src/${room}/`, '^src/errors\\.ts$', ...MAY_IMPORT[room].map((r) => `^src/${r}/`)],
  },
}));
module.exports = {
  forbidden: [
    ...rules,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'pure-rooms-do-no-io',
      severity: 'error',
      comment: 'these rooms see bytes and arguments only: no files, sockets, clocks or processes',
      from: {
        path: '^src/(addr|hash|wire|conntrack|route|netfilter|control|state|timeline|outcome|engine|oracle)/',
      },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?net$' },
    },
    {
      name: 'sockets-in-one-file',
      severity: 'error',
      comment: 'node:net sockets and dgram belong to bgp/net, live and cli',
      from: { path: '^src/', pathNot: '^src/(bgp/net/|addr/|live/|cli/)' },
      to: { path: '^(node:)?(net|dgram|http|https|tls)$', dependencyTypes: ['core'] },
    },
    {
      name: 'src-is-alone',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(bench|test|scripts)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.js'],
    },
  },
};
